"""`moonbase key`: API keys and tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from chalicelib.core import registry
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Credential
from commands.choices import SERVICE


@click.group()
def key() -> None:
    """API keys and tokens of every service."""


@key.command()
@click.argument("name")
@click.option("--service", required=True, type=SERVICE, help="The service for which the key is valid.")
@click.option(
    "--scope",
    help="read, module:NAME (luarocks), package:AUTHOR/NAME (contentdb), package:NAME (hel) or zone:NAME (luadns); "
    "default: everything that the account may do.",
)
@click.option("--expires", type=click.IntRange(1, 36500), metavar="DAYS", help="Default: never.")
@click.option("--comment", default="", help="A note on the purpose of the key.")
def create(name: str, service: str, scope: str | None, expires: int | None, comment: str) -> dict[str, Any]:
    """Create a key for the account NAME. It is shown only now."""
    credential, secret = credentials.create(
        accounts.named(name),
        service,
        scope=scope,
        ends_after=timedelta(days=expires) if expires else None,
        comment=comment,
    )
    return {"id": int(credential.id), "key": secret}


@key.command("list")
@click.argument("name")
def list_(name: str) -> list[dict[str, Any]]:
    """List the keys and tokens of the account NAME, oldest first.

    `session list` lists its sessions.
    """
    services = {each.name for each in registry.current().declarations if each.scopes}
    return [_row(key) for key in credentials.list_credentials(accounts.named(name)) if key.service in services]


@key.command()
@click.argument("id", type=int)
def revoke(id: int) -> dict[str, Any]:
    """Revoke the key with this ID for good."""
    credential = credentials.find(id)
    credentials.revoke(credential)
    return {"id": id, "revoked": True}


def last_use(credential: Credential) -> str | None:
    """The time of a credential's last use in ISO 8601; None if it was never used."""
    used = credential.last_used_at
    return datetime.fromtimestamp(int(used), UTC).isoformat() if used else None


def _row(credential: Credential) -> dict[str, Any]:
    return {
        "id": int(credential.id),
        "service": credential.service,
        "scope": credential.scope,
        "comment": credential.comment,
        "created_at": credential.created_at.isoformat(),
        "expires_at": credential.ends_at.isoformat() if credential.ends_at else None,
        "last_used_at": last_use(credential),
        "revoked": bool(credential.revoked_at),
    }
