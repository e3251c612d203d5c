"""Invitations, as administrators manage them."""

from datetime import timedelta

from chalicelib.account.paging import PAGE, cut
from chalicelib.core.caller import Caller
from chalicelib.core.identity import invitations
from chalicelib.core.tables import Invitation


def page(after: int | None, most: int | None) -> tuple[list[Invitation], int | None]:
    """A page of invitations, oldest first, and the id after which the next page begins, or None."""
    most = most or PAGE
    return cut(invitations.list_invitations(after or 0, most + 1), most, lambda invitation: int(invitation.id))


def create(
    caller: Caller,
    rank: str | None,
    email: str | None,
    expires_in_days: int | None,
    comment: str | None,
    mail: bool | None,
) -> tuple[Invitation, str | None]:
    """Create an invitation; return it and its secret, which cannot be read again; None if it is sent by mail.

    Raises Invalid, or Conflict if the server sends no mail.
    """
    return invitations.create(
        rank=rank or "MEMBER",
        email=email,
        ends_after=timedelta(days=expires_in_days) if expires_in_days else invitations.LIFETIME,
        comment=comment or "",
        mail=bool(mail),
        by=caller,
    )
