"""`moonbase luadns`: who may use LuaDNS' API."""

from typing import Any

import click


@click.group()
def luadns() -> None:
    """LuaDNS' API and zones."""


@luadns.command()
@click.argument("name")
def enable(name: str) -> dict[str, Any]:
    """Let the account NAME use LuaDNS' API, which is closed to it at first."""
    from chalicelib.core import accounts
    from chalicelib.luadns import users

    account = accounts.named(name)
    users.enable(account)
    return {"username": account.username, "luadns": account.luadns_enabled}


@luadns.command()
@click.argument("name")
def disable(name: str) -> dict[str, Any]:
    """Close LuaDNS' API to the account NAME; its zones stay."""
    from chalicelib.core import accounts
    from chalicelib.luadns import users

    account = accounts.named(name)
    users.disable(account)
    return {"username": account.username, "luadns": account.luadns_enabled}
