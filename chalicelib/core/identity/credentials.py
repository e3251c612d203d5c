"""Credentials: one type for LuaRocks keys, ContentDB tokens, LuaDNS keys, Hel keys and sessions.

Only the SHA-256 of a secret is stored. A secret has 178 bits of entropy, so a slower hash is not needed.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pynamodb.expressions.condition import Condition

from chalicelib.core import audit, ids, registry
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Forbidden, Full, Invalid, NotFound, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, secret_format
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Credential, now

SESSION = "session"
SECOND_FACTOR = "second-factor"
LOG_IN = "log-in"  # a login whose password was right and whose second factor is pending
_LONGEST_TEXT = 255
_LAST_USED_EVERY = 600
_MOST_COUNTED = 10_000
_counted: dict[str, int] = {}  # pk of a credential -> the window in which this process counted its use last


@dataclass(frozen=True)
class Rate:
    """A rate limit for each credential: `limit` uses in every window of `seconds`, aligned to the clock."""

    limit: int
    seconds: int


class Revoked(Forbidden):
    """The credential has been revoked."""


def create(
    account: Account,
    service: str,
    *,
    scope: str | None = None,
    ends_after: timedelta | None = None,
    comment: str = "",
    bound_to: str | None = None,
    device: Device | None = None,
    proved_at: int | None = None,
    by: Caller | None = None,
    also: Callable[[Transaction], None] | None = None,
    keep: Callable[[Transaction, Credential, str], None] | None = None,
) -> tuple[Credential, str]:
    """Create a credential; return it and its secret, which is not stored. Raises Invalid, or Conflict for a deleted
    account.

    `also` can add writes to the transaction, and `keep` those that store the secret in a sealed form, if the owner has
    chosen so. The owner is notified of a new key.

    A session gets the era of `account`, which the caller has read before it checked the password. So a concurrent
    change of the password ends the session immediately.
    """
    accounts.require_existing(account)
    if scope is not None:
        allowed = registry.current().scopes[service]
        if not allowed.allow(scope):
            raise Invalid(f"The scope of a key for {service} is {allowed.words}.", field="scope")
    if ends_after is not None and ends_after <= timedelta(0):
        raise Invalid("An expiry lies in the future.", field="expires")
    check_comment(comment)
    secret = secret_format.new_secret()
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
        era=account.era if service == SESSION else None,
        address=device.address if device else None,
        user_agent=device.user_agent[:_LONGEST_TEXT] if device else None,
        proved_at=proved_at,
    )
    if ends_after:
        credential.expires_at = ends_after + timedelta(days=30)
    writes = Transaction()
    writes.create(credential)
    writes.create(
        Claim(f"credential#{number}", "claim", holder=credential.pk, expires_at=credential.expires_at),
    )
    detail = {"address": credential.address, "user_agent": credential.user_agent} if device else {"scope": scope}
    noted = {**detail, **({"comment": comment} if comment else {})}
    writes.put(audit.entry(int(account.id), f"{service}.create", f"credential#{number}", by, **noted))
    if service in services():
        _notify_of_key(writes, account, credential)
    if also:
        also(writes)
    if keep:
        keep(writes, credential, secret)
    writes.commit()
    return credential, secret


def services() -> tuple[str, ...]:
    """The services that have keys."""
    return tuple(registry.current().scopes)


def check_comment(comment: str) -> None:
    """Raise Invalid for a comment that is too long or has control characters."""
    if len(comment) > _LONGEST_TEXT:
        raise Invalid(f"A comment has at most {_LONGEST_TEXT} characters.", field="comment")
    if not comment.isprintable():
        raise Invalid("A comment has no control characters.", field="comment")


def hash_of(secret: str) -> str:
    """The stored form of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check(secret: str, service: str, rate: Rate | None = None) -> Credential:
    """The live credential with this secret, in one call. Raises Unauthenticated, Revoked or TooMany.

    One conditional update records the use and returns the item even if its condition fails. With a rate it counts
    every use in `used`, since the start of `window`. Without a rate it records a use at most once in ten minutes. On a
    full disk it records nothing.
    """
    moment = int(time.time())
    item = Credential(_address(secret), "credential")
    try:
        allowed, credential = _record_use(item, service, rate, moment)
    except Full:  # reading must go on
        allowed, credential = True, Credential.find(item.pk, item.sk)
    if credential is None or credential.service != service:
        raise Unauthenticated("Invalid key")
    if credential.ends_at and credential.ends_at <= now():
        raise Unauthenticated("This key has expired.")
    if credential.revoked_at:
        raise Revoked("This key has been revoked.")
    if rate and not allowed:
        ends = int(credential.window) + rate.seconds
        raise TooMany("Too many requests.", retry_after=max(1, ends - moment), limit=rate.limit, reset=ends)
    return credential


def _record_use(item: Credential, service: str, rate: Rate | None, moment: int) -> tuple[bool, Credential | None]:
    """Record or count one use; return whether it is allowed, and the credential. Raises Full."""
    fresh = Credential.revoked_at.does_not_exist() & (Credential.service == service)
    if rate:
        return _count(item, fresh, rate, moment)
    seldom = Credential.last_used_at.does_not_exist() | (Credential.last_used_at <= moment - _LAST_USED_EVERY)
    return True, item.update_or_read([Credential.last_used_at.set(moment)], fresh & seldom)[1]


def _count(item: Credential, fresh: Condition, rate: Rate, moment: int) -> tuple[bool, Credential | None]:
    """Count one use; return whether it is allowed, and the credential.

    The first use in a window needs one update, and every further use another one. A process chooses by the window that
    it counted last. It needs both updates only for its first use in a window that another process has started.
    """
    start = moment - moment % rate.seconds
    used_now = Credential.last_used_at.set(moment)
    first = (
        [Credential.window.set(start), Credential.used.set(1), used_now],
        fresh & (Credential.window.does_not_exist() | (Credential.window < start)),
    )
    further = [Credential.used.add(1), used_now], fresh & (Credential.window >= start) & (Credential.used < rate.limit)
    known = _counted.get(item.pk) == start
    allowed, credential = item.update_or_read(*(further if known else first))
    if not allowed and credential is not None:
        started = credential.window is not None and credential.window >= start
        if started != known and not (started and credential.used >= rate.limit):
            allowed, credential = item.update_or_read(*(further if started else first))
    if allowed:
        if len(_counted) >= _MOST_COUNTED:
            _counted.clear()
        _counted[item.pk] = start
    return allowed, credential


def identify(secret: str, service: str, rate: Rate | None = None) -> Caller:
    """The caller with this secret, in two calls. Raises Unauthenticated, Revoked, TooMany or accounts.Suspended."""
    credential = check(secret, service, rate)
    try:
        account = accounts.get(int(credential.account_id))
    except NotFound:
        raise Unauthenticated("Invalid key") from None
    if credential.service == SESSION and credential.era != account.era:
        raise Unauthenticated("This session has ended.")
    accounts.ensure_active(account)
    return Caller(account, credential)


def is_live(account: Account, credential: Credential) -> bool:
    """Whether one of the account's credentials is valid: not revoked, not expired, and of the account's era."""
    if credential.revoked_at or (credential.ends_at and credential.ends_at <= now()):
        return False
    return credential.service != SESSION or bool(credential.era == account.era)


def list_credentials(account: Account) -> Iterator[Credential]:
    """An account's credentials, oldest first."""
    return iter(Credential.by_listing.query(f"credentials#{account.id}"))


def list_keys(account: Account) -> list[Credential]:
    """An account's keys and tokens for services, oldest first, including expired and revoked ones."""
    return [one for one in list_credentials(account) if one.service in services()]


def find(number: int) -> Credential:
    """The credential with this id; raises NotFound."""
    if credential := _find(number):
        return credential
    raise NotFound(f"There is no key {number}.")


def own(account: Account, number: int, *services: str) -> Credential:
    """The account's credential with this id, for one of these services; raises NotFound."""
    credential = _find(number)
    if credential is None or credential.account_id != account.id or credential.service not in services:
        raise NotFound(f"There is no {'session' if SESSION in services else 'key'} {number}.")
    return credential


def revoke(credential: Credential, by: Caller | None = None) -> None:
    """Revoke a credential; raises NotFound if it does not exist any more."""
    writes = Transaction()
    writes.update(
        credential,
        [Credential.revoked_at.set(Credential.revoked_at | now())],
        Credential.pk.exists(),
        NotFound("There is no such key."),
    )
    subject = f"credential#{int(credential.id)}"
    noted = {"comment": credential.comment} if credential.comment else {}
    writes.put(audit.entry(int(credential.account_id), f"{credential.service}.revoke", subject, by, **noted))
    writes.commit()


def _address(secret: str) -> str:
    return f"credential#{hash_of(secret)}"


def _notify_of_key(writes: Transaction, account: Account, key: Credential) -> None:
    subject = f"A key for {registry.current().titles[key.service]} was created for your account."
    text = f"Key {int(key.id)}: {key.comment or 'without a comment'}, {key.scope or 'full access'}"
    notify(writes, account, "key.created", subject, "/account/keys", text=text)


def _find(number: int) -> Credential | None:
    claim = Claim.find(f"credential#{number}", "claim")
    return Credential.find(claim.holder, "credential") if claim else None
