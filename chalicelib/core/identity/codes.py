"""The codes of a second factor: TOTP (RFC 6238), and recovery codes."""

import hashlib
import secrets
import time

STEP = 30
ACCEPTED_STEPS = (0, -1, -2)  # the current step and a minute back, as on luarocks.org; no future steps
_RECOVERY_CODES = 8
_RECOVERY_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def new_secret() -> str:
    """Return a new secret for an authenticator app, in base32."""
    import pyotp

    return pyotp.random_base32()


def uri_of(secret: str, username: str) -> str:
    """Return the otpauth URI of a secret."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name="Moonbase")


def step_of(secret: str, code: str) -> int | None:
    """Return the accepted time step that has this code; None if there is none."""
    import pyotp

    totp = pyotp.TOTP(secret)
    current = int(time.time()) // STEP
    steps = (current + shift for shift in ACCEPTED_STEPS)
    return next((step for step in steps if secrets.compare_digest(totp.at(step * STEP).encode(), code.encode())), None)


def new_recovery_codes() -> list[str]:
    """Return codes of twelve letters with 5 bits each, such as `k3mz-q7wt-2hdv`; luarocks.org allows 16 characters."""
    return [_recovery_code() for _ in range(_RECOVERY_CODES)]


def hash_of(recovery_code: str) -> str:
    """Return the stored hash of a recovery code, independent of letter case and surrounding blanks."""
    return hashlib.sha256(recovery_code.strip().lower().encode()).hexdigest()


def _recovery_code() -> str:
    letters = [secrets.choice(_RECOVERY_LETTERS) for _ in range(12)]
    return "-".join("".join(letters[start : start + 4]) for start in (0, 4, 8))
