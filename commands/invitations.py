"""`moonbase invitation`: who may open an account."""

from datetime import timedelta
from typing import Any

import click

from chalicelib.core import accounts
from chalicelib.core import invitations as rules
from chalicelib.core.tables import Invitation


@click.group()
def invitation() -> None:
    """Invitations, each for one person to open an account with."""


@invitation.command()
@click.option("--rank", default="MEMBER", show_default=True, type=click.Choice(accounts.RANKS, case_sensitive=False))
@click.option("--email", help="The only address that it is for.")
@click.option("--expires", default=7, show_default=True, type=click.IntRange(1, 365), metavar="DAYS")
@click.option("--comment", default="", help="Whom it is for.")
def create(rank: str, email: str | None, expires: int, comment: str) -> dict[str, Any]:
    """Make an invitation. Its secret is shown this once."""
    ends_after = timedelta(days=expires)
    made, secret = rules.create(rank=rank, email=email, ends_after=ends_after, comment=comment)
    return {"id": int(made.id), "invitation": secret}


@invitation.command("list")
def list_() -> list[dict[str, Any]]:
    """All invitations, oldest first; those that are over for 30 days are gone."""
    return [_row(made) for made in rules.listed()]


@invitation.command()
@click.argument("id", type=int)
def revoke(id: int) -> dict[str, Any]:
    """Revoke the invitation with this ID, which nobody has used."""
    rules.revoke(id)
    return {"id": id, "revoked": True}


def _row(made: Invitation) -> dict[str, Any]:
    return {
        "id": int(made.id),
        "rank": made.rank,
        "email": made.email,
        "comment": made.comment,
        "created_at": made.created_at.isoformat(),
        "expires_at": made.ends_at.isoformat(),
        "state": rules.state_of(made),
        "used_by": made.username,
    }
