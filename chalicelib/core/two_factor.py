"""The second factor: TOTP codes (RFC 6238) and recovery codes, each good for one use."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.core import audit, credentials, inventory, sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, NotFound, SecondFactorRequired, TooMany, Unauthenticated
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, CoreItem, Credential, TwoFactor

STEP = 30
ACCEPTED_STEPS = (0, -1, -2)  # now and a minute back, as luarocks.org; never the future
TOKEN_LIFETIME = timedelta(minutes=15)
FAILURES = 5
PAUSE = 300
_OFF = "Two-factor authentication is not enabled on this account"
_RECOVERY_CODES = 8
_RECOVERY_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"

inventory.seals(CoreItem, "sealed_secret")


@dataclass(frozen=True)
class Enrolment:
    """What the owner keeps: the base32 secret, the same as an otpauth URI, and single-use recovery codes."""

    secret: str
    uri: str
    recovery_codes: list[str]


class NotEnabled(Conflict):
    """The account has no second factor."""


def enable(account: Account, *, required_for_uploads: bool = False, by: Caller | None = None) -> Enrolment:
    """Enrol anew; what was issued for an earlier enrolment is dead."""
    import pyotp

    secret = pyotp.random_base32()
    codes = [_recovery_code() for _ in range(_RECOVERY_CODES)]
    enrolment = secrets.token_hex(8)
    writes = Transaction()
    writes.put(
        TwoFactor(
            account.pk,
            "two-factor",
            enrolment=enrolment,
            sealed_secret=sealing.seal(secret, account.pk),
            recovery_hashes=[_hash(code) for code in codes],
        )
    )
    writes.update(
        account,
        [Account.two_factor.set(enrolment), Account.second_factor_for_uploads.set(required_for_uploads)],
    )
    writes.put(audit.entry(int(account.id), "two-factor.enable", account.pk, by, for_uploads=required_for_uploads))
    writes.commit()
    uri = pyotp.TOTP(secret).provisioning_uri(name=account.username, issuer_name="Moonbase")
    return Enrolment(secret, uri, codes)


def disable(account: Account, by: Caller | None = None) -> None:
    """Turn two-factor off; tokens that were issued under it are dead."""
    writes = Transaction()
    writes.delete(TwoFactor(account.pk, "two-factor"))
    writes.update(account, [Account.two_factor.remove(), Account.second_factor_for_uploads.set(False)])
    writes.put(audit.entry(int(account.id), "two-factor.disable", account.pk, by))
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
        raise Unauthenticated("Invalid verification code")


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


def open_window(caller: Caller) -> int:
    """For clients that cannot send a token: let this one credential do without for as long as a token would be good.

    Returns the end in epoch seconds. The window closes when two-factor is turned off or enrolled anew.
    """
    until = int(time.time() + TOKEN_LIFETIME.total_seconds())
    _set_window(caller, "two-factor.open-window", window_until=until, window_for=caller.account.two_factor)
    return until


def close_window(caller: Caller) -> None:
    """Ask for the second factor again."""
    _set_window(caller, "two-factor.close-window", window_until=None, window_for=None)


def require(caller: Caller, token: str | None) -> None:
    """Raises SecondFactorRequired when the account wants one for uploads and neither `token` nor a window proves it."""
    if not (caller.account.two_factor and caller.account.second_factor_for_uploads) or _has_window(caller):
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


def _set_window(caller: Caller, deed: str, **values: Any) -> None:
    writes = Transaction()
    credential = caller.credential
    writes.update(
        credential,
        credential.assign(**values),
        Credential.pk.exists() & Credential.revoked_at.does_not_exist(),
        NotFound("There is no such key."),
    )
    writes.put(audit.deed(caller, deed, f"credential#{int(credential.id)}"))
    writes.commit()


def _has_window(caller: Caller) -> bool:
    credential = caller.credential
    return credential.window_for == caller.account.two_factor and (credential.window_until or 0) > time.time()


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
    import pyotp

    totp = pyotp.TOTP(sealing.unseal(item.sealed_secret, item.pk))
    current = int(time.time()) // STEP
    for step in (current + shift for shift in ACCEPTED_STEPS):
        if secrets.compare_digest(totp.at(step * STEP).encode(), code.encode()):
            used, _ = item.update_or_read(
                [TwoFactor.last_step.set(step), TwoFactor.attempts.set([])],
                (TwoFactor.last_step < step) & (TwoFactor.enrolment == item.enrolment),
            )
            return used
    return False


def _use_recovery(item: TwoFactor, code: str) -> bool:
    hashed = _hash(code.strip().lower())
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


def _recovery_code() -> str:
    """Twelve letters of 5 bits each, such as `k3mz-q7wt-2hdv`: fits the 16 characters that luarocks.org takes."""
    letters = [secrets.choice(_RECOVERY_LETTERS) for _ in range(12)]
    return "-".join("".join(letters[start : start + 4]) for start in (0, 4, 8))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
