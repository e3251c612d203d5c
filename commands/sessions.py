"""`moonbase session`: the log-in sessions of an account."""

from typing import Any

import click

from chalicelib.core.identity import accounts, credentials
from chalicelib.core.identity import sessions as rules
from chalicelib.core.tables import Credential
from commands.keys import last_use


@click.group()
def session() -> None:
    """The log-in sessions of an account."""


@session.command("list")
@click.argument("name")
def list_(name: str) -> list[dict[str, Any]]:
    """List the active sessions of the account NAME, oldest first."""
    return [_row(one) for one in rules.list_sessions(accounts.named(name))]


@session.command()
@click.argument("name")
@click.argument("id", type=int, required=False)
def revoke(name: str, id: int | None) -> dict[str, Any]:
    """Log the account NAME out everywhere, or end only the session with this ID."""
    account = accounts.named(name)
    if id is None:
        rules.end_all(account)
    else:
        credentials.revoke(credentials.own(account, id, credentials.SESSION))
    return {"username": account.username, "id": id, "revoked": True}


def _row(credential: Credential) -> dict[str, Any]:
    return {
        "id": int(credential.id),
        "address": credential.address,
        "user_agent": credential.user_agent,
        "created_at": credential.created_at.isoformat(),
        "expires_at": credential.ends_at.isoformat() if credential.ends_at else None,
        "last_used_at": last_use(credential),
    }
