"""`moonbase invitation`: invitations to create an account."""

from datetime import timedelta
from typing import Any

import click

from chalicelib.core.identity import invitations as rules
from chalicelib.core.tables import Invitation
from commands.choices import RANK


@click.group()
def invitation() -> None:
    """Invitations, each for one person to create an account."""


@invitation.command()
@click.option("--rank", default="MEMBER", show_default=True, type=RANK, help="The rank of the new account.")
@click.option("--email", help="The only e-mail address that may use it.")
@click.option(
    "--expires",
    default=7,
    show_default=True,
    type=click.IntRange(1, 365),
    metavar="DAYS",
    help="Days until it expires.",
)
@click.option("--comment", default="", help="A note, for example the name of the person.")
@click.option("--mail", is_flag=True, help="Send the invitation to the address of --email.")
def create(rank: str, email: str | None, expires: int, comment: str, mail: bool) -> dict[str, Any]:
    """Create an invitation. Its secret is shown only now, or sent by mail."""
    ends_after = timedelta(days=expires)
    invitation, secret = rules.create(rank=rank, email=email, ends_after=ends_after, comment=comment, mail=mail)
    return {"id": int(invitation.id), "invitation": secret} if secret else {"id": int(invitation.id), "mailed": email}


@invitation.command("list")
def list_() -> list[dict[str, Any]]:
    """List the invitations, oldest first. An invitation is deleted 30 days after its expiry."""
    return [_row(invitation) for invitation in rules.list_invitations()]


@invitation.command()
@click.argument("id", type=int)
def revoke(id: int) -> dict[str, Any]:
    """Revoke the unused invitation with this ID."""
    rules.revoke(id)
    return {"id": id, "revoked": True}


def _row(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": int(invitation.id),
        "rank": invitation.rank,
        "email": invitation.email,
        "comment": invitation.comment,
        "created_at": invitation.created_at.isoformat(),
        "expires_at": invitation.ends_at.isoformat(),
        "state": rules.state_of(invitation),
        "used_by": invitation.username,
    }
