"""Registration: who may open an account for themselves, the same by every way in.

docs/decisions/0020-registration.md
"""

from chalicelib import settings
from chalicelib.core import accounts, invitations, limits, passwords
from chalicelib.core.caller import Device
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.tables import Account

WINDOW = 3600  # seconds


def register(username: str, email: str, password: str, invitation: str | None, device: Device) -> Account:
    """Open an account for whoever asks; an invitation's secret is used up with it.

    Raises Forbidden where registration is closed, NoInvitation, Invalid, UsernameTaken or EmailTaken; TooMany for an
    address that registers too often without an invitation.
    """
    check_open(invitation)
    accounts.check_username(username)
    accounts.check_email(email)
    passwords.check_chosen(password, username, email)
    if invitation:
        return _by_invitation(username, email, password, invitation)
    if device.address:
        most, message = (
            settings.current().registration_rate,
            "Too many registrations from this address, try again later.",
        )
        limits.count(f"register#{limits.network_of(device.address)}", most, WINDOW, message)
    return accounts.create(username, email, password)


def check_open(invitation: str | None) -> None:
    """Raises Forbidden unless registration is open to whoever has this invitation, or none."""
    mode = settings.current().registration
    if mode == "closed":
        raise Forbidden("Registration is closed here: ask the administrator for an account.")
    if mode == "invitation" and not invitation:
        raise Forbidden("Registration is by invitation here: ask the administrator for one.")


def _by_invitation(username: str, email: str, password: str, secret: str) -> Account:
    invitation = invitations.find(secret)
    if invitation.email and invitation.email.lower() != email.lower():
        raise Invalid("This invitation is for another e-mail address.", field="email")
    return accounts.create(username, email, password, invitation.rank, invitations.use(invitation))
