"""Registration of accounts by users, with the same rules in every service (docs/decisions/0020-registration.md)."""

from chalicelib import settings
from chalicelib.core import limits
from chalicelib.core.caller import Device
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.core.identity import accounts, invitations, passwords
from chalicelib.core.tables import Account

WINDOW = 3600  # seconds


def register(username: str, email: str, password: str, invitation: str | None, device: Device) -> Account:
    """Create an account for a new user; the invitation, if given, is used.

    Raises Forbidden if registration is closed, NoInvitation, Invalid, UsernameTaken or EmailTaken; TooMany for an
    address with too many registrations without an invitation.
    """
    check_open(invitation)
    accounts.check_username(username)
    accounts.check_email(email)
    passwords.check_chosen(password, username, email)
    if invitation:
        return _by_invitation(username, email, password, invitation)
    if device.address:
        limit, message = (
            settings.current().registration_rate,
            "Too many registrations from this address, try again later.",
        )
        limits.count(f"register#{limits.network_of(device.address)}", limit, WINDOW, message)
    return accounts.create(username, email, password)


def check_open(invitation: str | None) -> None:
    """Raise Forbidden unless registration is open, or open with an invitation and there is one."""
    mode = settings.current().registration
    if mode == "closed":
        raise Forbidden("Registration is closed here: ask the administrator for an account.")
    if mode == "invitation" and not invitation:
        raise Forbidden("Registration is by invitation here: ask the administrator for one.")


def _by_invitation(username: str, email: str, password: str, secret: str) -> Account:
    invitation = invitations.find(secret)
    if invitation.email and invitation.email.lower() != email.lower():
        raise Invalid("This invitation is for another e-mail address.", field="email")
    use = invitations.use(invitation)
    return accounts.create(username, email, password, invitation.rank, use, confirmed=invitation.mailed)
