"""The second factor: TOTP codes (RFC 6238) and recovery codes, each good for one use."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.core import audit, credentials, inventory, limits, sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, SecondFactorRequired, Unauthenticated
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, CoreItem, TwoFactor

STEP = 30
ACCEPTED_STEPS = (0, -1, -2)  # now and a minute back, as luarocks.org; never the future
TOKEN_LIFETIME = timedelta(minutes=15)
FAILURES = 5
WINDOW = 300
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

    Raises NotEnabled, Unauthenticated for a wrong or used code, TooMany after five failures in five minutes per
    account. An attempt is counted before it is judged, so that guesses in parallel gain nothing.
    """
    item = TwoFactor.find(account.pk, "two-factor") if account.two_factor else None
    if item is None:
        raise NotEnabled("Two-factor authentication is not enabled on this account")
    subject = f"two-factor#{account.id}"
    limits.count(subject, FAILURES, WINDOW, "Too many failed attempts, try again later")
    if not (_use_totp(item, code) or _use_recovery(item, code)):
        raise Unauthenticated("Invalid verification code")
    limits.forget(subject, WINDOW)


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


def require(caller: Caller, token: str | None) -> None:
    """Raises SecondFactorRequired when the account wants one for uploads and `token` does not prove it."""
    if not (caller.account.two_factor and caller.account.second_factor_for_uploads):
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


def _binding(caller: Caller) -> str:
    return f"{int(caller.credential.id)}#{caller.account.two_factor}"


def _use_totp(item: TwoFactor, code: str) -> bool:
    import pyotp

    totp = pyotp.TOTP(sealing.unseal(item.sealed_secret, item.pk))
    current = int(time.time()) // STEP
    for step in (current + shift for shift in ACCEPTED_STEPS):
        if secrets.compare_digest(totp.at(step * STEP).encode(), code.encode()):
            used, _ = item.update_or_read(
                [TwoFactor.last_step.set(step)],
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
            [TwoFactor.recovery_hashes[place].remove()], TwoFactor.recovery_hashes[place] == hashed
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
