"""TSIG keys (RFC 8945): they sign zone transfers, NOTIFY messages and dynamic updates.

The scope of a key is one of: `transfer:ZONE` (transfer the zone), `update:ZONE` (change its records, and transfer it),
`acme:NAME` (change the TXT records `_acme-challenge` at a name and below it).
"""

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, cast

from chalicelib.core import audit, sealing
from chalicelib.core.errors import Forbidden, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.luadns import names, store
from chalicelib.luadns.problems import Problem, invalid
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import LuaDnsItem, TsigKey, TsigName, Zone, account_pk, tsig_sk

SECRET_BYTES = {"hmac-sha256": 32, "hmac-sha512": 64}
DEFAULT_ALGORITHM = "hmac-sha256"
TRANSFER, UPDATE, ACME = "transfer", "update", "acme"
_MAX_KEYS = 100  # per account
_SCOPE = re.compile(rf"({TRANSFER}|{UPDATE}|{ACME}):(\S+)")


class TsigScope(NamedTuple):
    """What a key may do; `name` is a zone's, or for ACME that of a host, without the trailing dot."""

    kind: str
    name: str


def create(owner: Owner, name: str, algorithm: str, scope: str) -> tuple[TsigKey, str]:
    """Create a key; return it with its secret in Base64, which no later call returns. Raises Invalid or Forbidden."""
    name, parsed = _validate(owner, name, algorithm, scope)
    pk = account_pk(owner.account_id)
    if len(listed(owner)) >= _MAX_KEYS:
        raise Forbidden(f"An account has at most {_MAX_KEYS} TSIG keys.")
    secret = base64.b64encode(secrets.token_bytes(SECRET_BYTES[algorithm])).decode()
    key = TsigKey(
        pk,
        tsig_sk(name),
        account_id=owner.account_id,
        name=name,
        algorithm=algorithm,
        sealed=sealing.seal(secret, pk),
        scope=":".join(parsed),
        created_at=datetime.now(UTC),
    )
    writes = Transaction()
    taken = Forbidden(f"TSIG key '{name}' is taken already.")
    writes.create(TsigName(tsig_sk(name), "tsig-name", account_id=owner.account_id), taken)
    writes.create(key, taken)
    writes.put(
        audit.entry(owner.account_id, "tsig.create", tsig_sk(name), owner.caller, tsig_key=name, scope=key.scope)
    )
    writes.commit()
    return key, secret


def listed(owner: Owner) -> Sequence[TsigKey]:
    """The owner's keys, by name."""
    query = LuaDnsItem.query(account_pk(owner.account_id), LuaDnsItem.sk.startswith(tsig_sk("")), consistent_read=True)
    return cast(Sequence[TsigKey], list(query))


def delete(owner: Owner, name: str) -> TsigKey:
    """Delete a key and return it. Raises NotFound."""
    name = name.lower().removesuffix(".")
    unknown = NotFound(f"There is no TSIG key {name[:100]}.")
    key = LuaDnsItem.find(account_pk(owner.account_id), tsig_sk(name))
    if not isinstance(key, TsigKey):
        raise unknown
    writes = Transaction()
    writes.delete(key, TsigKey.pk.exists(), unknown)
    writes.delete(TsigName(tsig_sk(name), "tsig-name"))
    writes.put(audit.entry(owner.account_id, "tsig.delete", tsig_sk(name), owner.caller, tsig_key=name))
    writes.commit()
    return key


def find(name: str) -> TsigKey | None:
    """The key with this name, in lower case without the trailing dot, of any account."""
    claim = LuaDnsItem.find(tsig_sk(name), "tsig-name")
    if not isinstance(claim, TsigName):
        return None
    key = LuaDnsItem.find(account_pk(int(claim.account_id)), tsig_sk(name))
    return key if isinstance(key, TsigKey) else None


def scope_of(key: TsigKey) -> TsigScope:
    """The scope of a key."""
    return TsigScope(*key.scope.split(":", 1))


def secret_of(key: TsigKey) -> str:
    """The secret of a key in Base64."""
    return sealing.unseal(key.sealed, key.pk)


def can_transfer(key: TsigKey, zone: Zone) -> bool:
    """Whether a key may transfer a zone."""
    kind, name = scope_of(key)
    return key.account_id == zone.account_id and kind in (TRANSFER, UPDATE) and name == zone.name


def _validate(owner: Owner, name: str, algorithm: str, scope: str) -> tuple[str, TsigScope]:
    problems = []
    try:
        name = names.zone_name(name)
    except ValueError:
        problems.append(Problem("name", "the name of a TSIG key is a domain name, such as transfer.example.com"))
    if algorithm not in SECRET_BYTES:
        problems.append(Problem("algorithm", f"algorithm must be {' or '.join(SECRET_BYTES)}"))
    found = _SCOPE.fullmatch(scope)
    parsed = TsigScope(found[1], found[2].lower().removesuffix(".")) if found else TsigScope("", "")
    if not found:
        problems.append(Problem("scope", "scope must be transfer:ZONE, update:ZONE or acme:NAME"))
    elif parsed.kind == ACME:
        if not any(f".{parsed.name}".endswith(f".{zone.name}") for zone in store.zones(owner)):
            problems.append(Problem("scope", "the name is in no zone of the account"))
    elif parsed.name not in {zone.name for zone in store.zones(owner)}:
        problems.append(Problem("scope", "the account has no such zone"))
    if problems:
        raise invalid(problems)
    return name, parsed
