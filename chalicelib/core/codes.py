"""The codes of a second factor: TOTP (RFC 6238), and recovery codes."""

import hashlib
import secrets
import time

STEP = 30
ACCEPTED_STEPS = (0, -1, -2)  # now and a minute back, as luarocks.org; never the future
_RECOVERY_CODES = 8
_RECOVERY_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def new_secret() -> str:
    """A secret for an authenticator, in base32."""
    import pyotp

    return pyotp.random_base32()


def uri_of(secret: str, username: str) -> str:
    """The otpauth URI that tells an authenticator the same."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name="Moonbase")


def step_of(secret: str, code: str) -> int | None:
    """The time step whose code this is, of those that are accepted now."""
    import pyotp

    totp = pyotp.TOTP(secret)
    current = int(time.time()) // STEP
    steps = (current + shift for shift in ACCEPTED_STEPS)
    return next((step for step in steps if secrets.compare_digest(totp.at(step * STEP).encode(), code.encode())), None)


def new_recovery_codes() -> list[str]:
    """Twelve letters of 5 bits each, such as `k3mz-q7wt-2hdv`: fits the 16 characters that luarocks.org takes."""
    return [_recovery_code() for _ in range(_RECOVERY_CODES)]


def hash_of(recovery_code: str) -> str:
    """What is stored of a recovery code, however it was typed."""
    return hashlib.sha256(recovery_code.strip().lower().encode()).hexdigest()


def _recovery_code() -> str:
    letters = [secrets.choice(_RECOVERY_LETTERS) for _ in range(12)]
    return "-".join("".join(letters[start : start + 4]) for start in (0, 4, 8))
