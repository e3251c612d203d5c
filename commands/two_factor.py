"""`moonbase two-factor`: the second factor of an account."""

from dataclasses import asdict
from typing import Any

import click

from chalicelib.core.identity import accounts
from chalicelib.core.identity import two_factor as rules


@click.group("two-factor")
def two_factor() -> None:
    """The second factor of an account."""


@two_factor.command()
@click.argument("name")
@click.option("--require-for-uploads", is_flag=True, help="Uploads need a code as well as a key.")
def enable(name: str, require_for_uploads: bool) -> dict[str, Any]:
    """Enrol the account NAME with a new secret. The secret and the recovery codes are shown only now."""
    return asdict(rules.enable(accounts.named(name), required_for_uploads=require_for_uploads))


@two_factor.command()
@click.argument("name")
def disable(name: str) -> dict[str, Any]:
    """Turn the second factor of the account NAME off."""
    account = accounts.named(name)
    rules.disable(account)
    return {"username": account.username, "two_factor": False}
