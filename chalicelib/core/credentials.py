"""Credentials: LuaRocks keys, ContentDB tokens, LuaDNS keys, Hel keys and sessions are one thing.

Only a SHA-256 of the secret is stored; the secret has 238 bits, so nothing slower is needed.
"""

import hashlib
import re
import secrets
import string
import time
from collections.abc import Iterator
from datetime import timedelta

from chalicelib.core import accounts, audit, ids
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Credential, now

SESSION = "session"
SECOND_FACTOR = "second-factor"
_SCOPES = {
    "luarocks": ("read or module:NAME", re.compile(r"read|module:[^\s:]{1,300}")),
    "contentdb": ("read or package:AUTHOR/NAME", re.compile(r"read|package:[^\s:/]{1,100}/[^\s:/]{1,200}")),
    "luadns": ("read or zone:NAME", re.compile(r"read|zone:[^\s:]{1,300}")),
    "hel": ("read or package:NAME", re.compile(r"read|package:[^\s:/]{1,100}")),
}
SERVICES = tuple(_SCOPES)
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 40
_LAST_USED_EVERY = 600


class Revoked(Forbidden):
    """The credential was good once."""


def create(
    account: Account,
    service: str,
    *,
    scope: str | None = None,
    ends_after: timedelta | None = None,
    comment: str = "",
    bound_to: str | None = None,
    by: Caller | None = None,
) -> tuple[Credential, str]:
    """Make a credential; returns it and its secret, which nobody can see again. Raises Invalid."""
    if scope is not None:
        form, pattern = _SCOPES[service]
        if not pattern.fullmatch(scope):
            raise Invalid(f"The scope of a key for {service} is {form}.", field="scope")
    if ends_after is not None and ends_after <= timedelta(0):
        raise Invalid("An expiry lies in the future.", field="expires")
    if len(comment) > 255:
        raise Invalid("A comment has at most 255 characters.", field="comment")
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    number = ids.reserve("credential")
    credential = Credential(
        _address(secret),
        "credential",
        listing=f"credentials#{account.id}",
        id=number,
        account_id=account.id,
        service=service,
        scope=scope,
        comment=comment,
        created_at=now(),
        ends_at=now() + ends_after if ends_after else None,
        bound_to=bound_to,
    )
    if ends_after:
        credential.expires_at = ends_after + timedelta(days=30)
    writes = Transaction()
    writes.create(credential)
    writes.create(
        Claim(f"credential#{number}", "claim", holder=credential.pk, expires_at=credential.expires_at),
    )
    writes.put(audit.entry(int(account.id), f"{service}.create", f"credential#{number}", by, scope=scope))
    writes.commit()
    return credential, secret


def check(secret: str, service: str) -> Credential:
    """The live credential that `secret` is, in one call. Raises Unauthenticated or Revoked.

    One conditional update notes the use, at most once in ten minutes, and hands the item back either way.
    """
    moment = int(time.time())
    fields = Credential
    _, credential = Credential(_address(secret), "credential").update_or_read(
        [fields.last_used_at.set(moment)],
        fields.revoked_at.does_not_exist()
        & (fields.service == service)
        & (fields.last_used_at.does_not_exist() | (fields.last_used_at <= moment - _LAST_USED_EVERY)),
    )
    if credential is None or credential.service != service:
        raise Unauthenticated("Invalid key")
    if credential.ends_at and credential.ends_at <= now():
        raise Unauthenticated("This key has expired.")
    if credential.revoked_at:
        raise Revoked("This key has been revoked.")
    return credential


def identify(secret: str, service: str) -> Caller:
    """Who shows this secret, in two calls. Raises Unauthenticated, Revoked or accounts.Suspended."""
    credential = check(secret, service)
    try:
        account = accounts.get(int(credential.account_id))
    except NotFound:
        raise Unauthenticated("Invalid key") from None
    accounts.ensure_active(account)
    return Caller(account, credential)


def listed(account: Account) -> Iterator[Credential]:
    """An account's credentials, oldest first."""
    return iter(Credential.by_listing.query(f"credentials#{account.id}"))


def find(number: int) -> Credential:
    """The credential with this id; raises NotFound."""
    claim = Claim.find(f"credential#{number}", "claim")
    credential = Credential.find(claim.holder, "credential") if claim else None
    if credential is None:
        raise NotFound(f"There is no key {number}.")
    return credential


def revoke(credential: Credential, by: Caller | None = None) -> None:
    """End a credential for good; raises NotFound when it has vanished."""
    writes = Transaction()
    writes.update(
        credential,
        [Credential.revoked_at.set(Credential.revoked_at | now())],
        Credential.pk.exists(),
        NotFound("There is no such key."),
    )
    subject = f"credential#{int(credential.id)}"
    writes.put(audit.entry(int(credential.account_id), f"{credential.service}.revoke", subject, by))
    writes.commit()


def end_sessions(account: Account, *, keep: Credential | None = None, by: Caller | None = None) -> None:
    """Log the account out everywhere, except where it uses `keep`."""
    for credential in listed(account):
        live = not credential.revoked_at and (credential.ends_at is None or credential.ends_at > now())
        if credential.service == SESSION and live and (keep is None or credential.id != keep.id):
            revoke(credential, by)


def _address(secret: str) -> str:
    return "credential#" + hashlib.sha256(secret.encode()).hexdigest()
