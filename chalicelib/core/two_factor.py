"""The second factor: TOTP codes (RFC 6238) and recovery codes, each good for one use."""

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pynamodb.expressions.condition import Condition

from chalicelib.core import accounts, audit, codes, credentials, sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, NotFound, SecondFactorRequired, TooMany, Unauthenticated
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, Enrolling, TwoFactor, now

TOKEN_LIFETIME = timedelta(minutes=15)
FAILURES = 5
PAUSE = 300
_ENROLLING_LIFETIME = timedelta(hours=1)
_OFF = "Two-factor authentication is not enabled on this account"


@dataclass(frozen=True)
class Enrolment:
    """What the owner keeps: the base32 secret, the same as an otpauth URI, and single-use recovery codes."""

    secret: str
    uri: str
    recovery_codes: list[str]


class NotEnabled(Conflict):
    """The account has no second factor."""


def enable(account: Account, *, required_for_uploads: bool = False, by: Caller | None = None) -> Enrolment:
    """Enrol anew, without asking for a code; what was issued for an earlier enrolment is dead, and sessions end."""
    secret = codes.new_secret()
    writes = Transaction()
    recovery = _put_in_force(writes, account, secret, 0, required_for_uploads, by)
    writes.commit()
    return Enrolment(secret, codes.uri_of(secret, account.username), recovery)


def begin(account: Account) -> tuple[str, str]:
    """A new secret for the owner's authenticator, and the URI that says the same: see `confirm`. Raises Conflict.

    It is good for an hour, in the place of one that was made before; until it is confirmed nothing changes.
    """
    if account.two_factor:
        raise _already_on()
    secret = codes.new_secret()
    sealed = sealing.seal(secret, account.pk)
    Enrolling(account.pk, "enrolling", sealed_secret=sealed, expires_at=_ENROLLING_LIFETIME).save()
    return secret, codes.uri_of(secret, account.username)


def confirm(account: Account, code: str, *, required_for_uploads: bool = False, by: Caller) -> list[str]:
    """Put the secret of `begin` in force by a code of it; the caller's other sessions end. Returns recovery codes.

    The code is used up. Raises Conflict when nothing was begun, or it is on already; Unauthenticated for a wrong code.
    """
    if account.two_factor:
        raise _already_on()
    enrolling = Enrolling.find(account.pk, "enrolling")
    if enrolling is None or enrolling.expires_at <= now():
        raise Conflict("Ask for a new secret first: there is none that waits to be confirmed.")
    secret = sealing.unseal(enrolling.sealed_secret, account.pk)
    step = codes.step_of(secret, code)
    if step is None:
        raise _wrong_code()
    writes = Transaction()
    writes.delete(enrolling, Enrolling.sealed_secret == enrolling.sealed_secret)
    recovery = _put_in_force(
        writes, account, secret, step, required_for_uploads, by, Account.two_factor.does_not_exist()
    )
    writes.commit()
    return recovery


def renew_recovery_codes(account: Account, by: Caller) -> list[str]:
    """New recovery codes in the place of the old ones; the caller's other sessions end. Raises NotEnabled."""
    recovery = codes.new_recovery_codes()
    writes = Transaction()
    writes.update(
        TwoFactor(account.pk, "two-factor"),
        [TwoFactor.recovery_hashes.set([codes.hash_of(code) for code in recovery])],
        TwoFactor.enrolment == account.two_factor,
        NotEnabled(_OFF),
    )
    _note(writes, account, "two-factor.recovery-codes", by)
    writes.commit()
    return recovery


def require_for_uploads(account: Account, required: bool, by: Caller | None = None) -> None:
    """Whether uploads need the second factor, too. Raises NotEnabled."""
    writes = Transaction()
    actions = account.assign(second_factor_for_uploads=required)
    writes.update(account, actions, Account.two_factor.exists(), NotEnabled(_OFF))
    writes.put(audit.entry(int(account.id), "two-factor.uploads", account.pk, by, required=required))
    writes.commit()


def disable(account: Account, by: Caller | None = None) -> None:
    """Turn two-factor off; tokens that were issued under it are dead, and sessions but the caller's own end."""
    writes = Transaction()
    writes.delete(TwoFactor(account.pk, "two-factor"))
    _note(writes, account, "two-factor.disable", by, two_factor=None, second_factor_for_uploads=False)
    writes.commit()


def verify(account: Account, code: str) -> None:
    """Use up a TOTP or recovery code.

    Raises NotEnabled, Unauthenticated for a wrong or used code, TooMany after five failures within five minutes per
    account. An attempt is counted before it is judged, so that guesses in parallel gain nothing.
    """
    item = TwoFactor.find(account.pk, "two-factor") if account.two_factor else None
    _count_attempt(item)
    if item is None:
        raise NotEnabled(_OFF)
    if not (_use_totp(item, code) or _use_recovery(item, code)):
        raise _wrong_code()


def recovery_codes_left(account: Account) -> int:
    """How many recovery codes have not been used."""
    item = TwoFactor.find(account.pk, "two-factor") if account.two_factor else None
    return len(item.recovery_hashes) if item else 0


def issue_token(caller: Caller) -> tuple[str, int]:
    """A token that stands for the second factor with this one credential: (token, its end in epoch seconds)."""
    credential, token = credentials.create(
        caller.account,
        credentials.SECOND_FACTOR,
        ends_after=TOKEN_LIFETIME,
        bound_to=_binding(caller),
        by=caller,
    )
    return token, int(credential.ends_at.timestamp())


def open_window(caller: Caller, key: Credential | None = None) -> int:
    """For clients that cannot send a token: let one credential do without for as long as a token would be good.

    It is the caller's own when no other `key` is named. Returns the end in epoch seconds. The window closes when
    two-factor is turned off or enrolled anew.
    """
    until = int(time.time() + TOKEN_LIFETIME.total_seconds())
    _set_window(caller, key, "two-factor.open-window", window_until=until, window_for=caller.account.two_factor)
    return until


def close_window(caller: Caller, key: Credential | None = None) -> None:
    """Ask for the second factor again."""
    _set_window(caller, key, "two-factor.close-window", window_until=None, window_for=None)


def require(caller: Caller, token: str | None) -> None:
    """Raises SecondFactorRequired when the account wants one for uploads and neither `token` nor a window proves it."""
    account = caller.account
    if not (account.two_factor and account.second_factor_for_uploads) or window_of(account, caller.credential):
        return
    refusal = SecondFactorRequired("Two-factor authentication required")
    if not token:
        raise refusal
    try:
        credential = credentials.check(token, credentials.SECOND_FACTOR)
    except (Unauthenticated, Forbidden):
        raise refusal from None
    if credential.bound_to != _binding(caller):
        raise refusal


def window_of(account: Account, key: Credential) -> int | None:
    """When the window of one of the account's credentials closes, in epoch seconds; None when it is closed."""
    until = int(key.window_until or 0)
    return until if key.window_for == account.two_factor and until > time.time() else None


def _put_in_force(
    writes: Transaction,
    account: Account,
    secret: str,
    step: int,
    required_for_uploads: bool,
    by: Caller | None,
    condition: Condition | None = None,
) -> list[str]:
    """Put an enrolment into a transaction; codes up to `step` are used up. Returns its recovery codes."""
    recovery = codes.new_recovery_codes()
    enrolment = secrets.token_hex(8)
    writes.put(
        TwoFactor(
            account.pk,
            "two-factor",
            enrolment=enrolment,
            sealed_secret=sealing.seal(secret, account.pk),
            recovery_hashes=[codes.hash_of(code) for code in recovery],
            last_step=step,
        )
    )
    detail = {"for_uploads": required_for_uploads}
    values = {"two_factor": enrolment, "second_factor_for_uploads": required_for_uploads}
    _note(writes, account, "two-factor.enable", by, detail, condition, **values)
    return recovery


def _note(
    writes: Transaction,
    account: Account,
    deed: str,
    by: Caller | None,
    detail: dict[str, Any] | None = None,
    condition: Condition | None = None,
    **values: Any,
) -> None:
    """Put into a transaction what a change of the second factor does to the account, and its audit entry.

    Sessions end, but for the caller's where it is their own account.
    """
    keep = by.credential if by and by.account.id == account.id else None
    actions = account.assign(**values) + accounts.new_era(account, writes, keep)
    writes.update(account, actions, condition, _already_on() if condition is not None else None)
    writes.put(audit.entry(int(account.id), deed, account.pk, by, **(detail or {})))


def _set_window(caller: Caller, key: Credential | None, deed: str, **values: Any) -> None:
    writes = Transaction()
    credential = key or caller.credential
    writes.update(
        credential,
        credential.assign(**values),
        Credential.pk.exists() & Credential.revoked_at.does_not_exist(),
        NotFound("There is no such key."),
    )
    writes.put(audit.entry_by(caller, deed, f"credential#{int(credential.id)}"))
    writes.commit()


def _count_attempt(item: TwoFactor | None) -> None:
    """Note an attempt, unless there were too many; whoever is second at one moment looks again."""
    counted = False
    while not counted:
        if item is None:
            raise NotEnabled(_OFF)
        moment = int(time.time())
        recent = [int(at) for at in item.attempts if at > moment - PAUSE]
        if len(recent) >= FAILURES:
            message = "Too many failed attempts, try again later"
            raise TooMany(message, retry_after=recent[-FAILURES] + PAUSE - moment)
        actions = [TwoFactor.attempts.set([*recent, moment])]
        unchanged = TwoFactor.attempts.does_not_exist() | (TwoFactor.attempts == item.attempts)
        counted, item = item.update_or_read(actions, unchanged)


def _binding(caller: Caller) -> str:
    return f"{int(caller.credential.id)}#{caller.account.two_factor}"


def _use_totp(item: TwoFactor, code: str) -> bool:
    step = codes.step_of(sealing.unseal(item.sealed_secret, item.pk), code)
    if step is None:
        return False
    return item.update_or_read(
        [TwoFactor.last_step.set(step), TwoFactor.attempts.set([])],
        (TwoFactor.last_step < step) & (TwoFactor.enrolment == item.enrolment),
    )[0]


def _use_recovery(item: TwoFactor, code: str) -> bool:
    hashed = codes.hash_of(code)
    found: TwoFactor | None = item
    while found and hashed in found.recovery_hashes:  # again when another code was used meanwhile: the places moved
        place = found.recovery_hashes.index(hashed)
        used, found = found.update_or_read(
            [TwoFactor.recovery_hashes[place].remove(), TwoFactor.attempts.set([])],
            TwoFactor.recovery_hashes[place] == hashed,
        )
        if used:
            return True
    return False


def _already_on() -> Conflict:
    return Conflict("Two-factor authentication is on already: turn it off first.")


def _wrong_code() -> Unauthenticated:
    return Unauthenticated("Invalid verification code", field="code")
