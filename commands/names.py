"""`moonbase name`: names of deleted and renamed packages, reserved for their former owners."""

import click

from chalicelib.core import names
from commands.choices import SERVICE


@click.group()
def name() -> None:
    """Names of deleted and renamed packages, reserved for their former owners."""


@name.command()
@click.argument("service", type=SERVICE)
@click.argument("name")
def release(service: str, name: str) -> dict[str, str]:
    """Make the reserved NAME of a SERVICE available to every account: a module, AUTHOR/NAME, or a package."""
    names.release(service, name)
    return {"service": service, "name": name}
