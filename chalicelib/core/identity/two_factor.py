"""The second factor: TOTP codes (RFC 6238) and recovery codes, each valid for one use."""

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pynamodb.expressions.condition import Condition

from chalicelib.core import audit, sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, TooMany, Unauthenticated
from chalicelib.core.identity import accounts, codes
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Enrolling, TwoFactor, now

FAILURES = 5
PAUSE = 300
_ENROLLING_LIFETIME = timedelta(hours=1)
_SUBJECTS = {
    "two-factor.enable": "Two-factor authentication was turned on.",
    "two-factor.recovery-codes": "Your recovery codes were replaced.",
    "two-factor.disable": "Two-factor authentication was turned off.",
}
_OFF = "Two-factor authentication is not enabled on this account"


@dataclass(frozen=True)
class Enrolment:
    """The owner's data: the secret in base32, the same secret as an otpauth URI, and single-use recovery codes."""

    secret: str
    uri: str
    recovery_codes: list[str]


class NotEnabled(Conflict):
    """The account has no second factor."""


def enable(account: Account, *, required_for_uploads: bool = False, by: Caller | None = None) -> Enrolment:
    """Enrol an account without a confirming code.

    Tokens of an earlier enrolment become invalid, and the account's sessions end, except the caller's own.
    """
    secret = codes.new_secret()
    writes = Transaction()
    recovery = _activate(writes, account, secret, 0, required_for_uploads, by)
    writes.commit()
    return Enrolment(secret, codes.uri_of(secret, account.username), recovery)


def begin(account: Account) -> tuple[str, str]:
    """A new secret for the owner's authenticator, and its otpauth URI. Raises Conflict if two-factor is on.

    The secret is valid for an hour and replaces an earlier unconfirmed one. `confirm` activates it.
    """
    if account.two_factor:
        raise _already_on()
    secret = codes.new_secret()
    sealed = sealing.seal(secret, account.pk)
    Enrolling(account.pk, "enrolling", sealed_secret=sealed, expires_at=_ENROLLING_LIFETIME).save()
    return secret, codes.uri_of(secret, account.username)


def confirm(account: Account, code: str, *, required_for_uploads: bool = False, by: Caller) -> list[str]:
    """Activate the secret of `begin` with one of its codes; return recovery codes. The caller's other sessions end.

    The code cannot be used again. Raises Conflict if there is no secret to confirm or two-factor is on already;
    Unauthenticated for a wrong code.
    """
    if account.two_factor:
        raise _already_on()
    enrolling = Enrolling.find(account.pk, "enrolling")
    if enrolling is None or enrolling.expires_at <= now():
        raise Conflict("Request a new secret first: there is none to confirm.")
    secret = sealing.unseal(enrolling.sealed_secret, account.pk)
    step = codes.step_of(secret, code)
    if step is None:
        raise _wrong_code()
    writes = Transaction()
    writes.delete(enrolling, Enrolling.sealed_secret == enrolling.sealed_secret)
    recovery = _activate(writes, account, secret, step, required_for_uploads, by, Account.two_factor.does_not_exist())
    writes.commit()
    return recovery


def renew_recovery_codes(account: Account, by: Caller) -> list[str]:
    """Replace the recovery codes and return the new ones; the caller's other sessions end. Raises NotEnabled."""
    recovery = codes.new_recovery_codes()
    writes = Transaction()
    writes.update(
        TwoFactor(account.pk, "two-factor"),
        [TwoFactor.recovery_hashes.set([codes.hash_of(code) for code in recovery])],
        TwoFactor.enrolment == account.two_factor,
        NotEnabled(_OFF),
    )
    _change_account(writes, account, "two-factor.recovery-codes", by)
    writes.commit()
    return recovery


def require_for_uploads(account: Account, required: bool, by: Caller | None = None) -> None:
    """Set whether uploads need the second factor too. Raises NotEnabled."""
    writes = Transaction()
    actions = account.assign(second_factor_for_uploads=required)
    writes.update(account, actions, Account.two_factor.exists(), NotEnabled(_OFF))
    writes.put(audit.entry(int(account.id), "two-factor.uploads", account.pk, by, required=required))
    writes.commit()


def disable(account: Account, by: Caller | None = None) -> None:
    """Turn two-factor off. Its tokens become invalid, and the account's sessions end, except the caller's own."""
    writes = Transaction()
    writes.delete(TwoFactor(account.pk, "two-factor"))
    _change_account(writes, account, "two-factor.disable", by, two_factor=None, second_factor_for_uploads=False)
    writes.commit()


def verify(account: Account, code: str) -> None:
    """Check a TOTP or recovery code, which cannot be used again.

    Raises NotEnabled; Unauthenticated for a wrong or used code; TooMany after five failures of the account within five
    minutes. An attempt is counted before its code is checked, so that parallel guesses are limited too.
    """
    item = TwoFactor.find(account.pk, "two-factor") if account.two_factor else None
    _count_attempt(item)
    if item is None:
        raise NotEnabled(_OFF)
    if not (_use_totp(item, code) or _use_recovery(item, code)):
        raise _wrong_code()


def recovery_codes_left(account: Account) -> int:
    """The number of unused recovery codes."""
    item = TwoFactor.find(account.pk, "two-factor") if account.two_factor else None
    return len(item.recovery_hashes) if item else 0


def _activate(
    writes: Transaction,
    account: Account,
    secret: str,
    step: int,
    required_for_uploads: bool,
    by: Caller | None,
    condition: Condition | None = None,
) -> list[str]:
    """Activate an enrolment in a transaction, in which TOTP codes up to `step` count as used; return recovery codes."""
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
    _change_account(writes, account, "two-factor.enable", by, detail, condition, **values)
    return recovery


def _change_account(
    writes: Transaction,
    account: Account,
    action: str,
    by: Caller | None,
    detail: dict[str, Any] | None = None,
    condition: Condition | None = None,
    **values: Any,
) -> None:
    """Change the account's second factor in a transaction, with an audit entry.

    The account's sessions end, except the caller's own. Raises Conflict for a deleted account.
    """
    accounts.require_existing(account)
    keep = by.credential if by and by.account.id == account.id else None
    actions = account.assign(**values) + accounts.new_era(account, writes, keep)
    writes.update(account, actions, condition, _already_on() if condition is not None else None)
    writes.put(audit.entry(int(account.id), action, account.pk, by, **(detail or {})))
    notify(writes, account, "account.two-factor", _SUBJECTS[action], "/account/two-factor")


def _count_attempt(item: TwoFactor | None) -> None:
    """Count an attempt, or raise TooMany; reads the item again after a concurrent attempt."""
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
    while found and hashed in found.recovery_hashes:  # repeated if the index has changed: another code was used
        index = found.recovery_hashes.index(hashed)
        used, found = found.update_or_read(
            [TwoFactor.recovery_hashes[index].remove(), TwoFactor.attempts.set([])],
            TwoFactor.recovery_hashes[index] == hashed,
        )
        if used:
            return True
    return False


def _already_on() -> Conflict:
    return Conflict("Two-factor authentication is on already: turn it off first.")


def _wrong_code() -> Unauthenticated:
    return Unauthenticated("Invalid verification code", field="code")
