"""`moonbase name`: names of deleted and renamed packages, reserved for their former owners."""

import click

from chalicelib.core.identity import names
from commands.choices import SERVICE


@click.group()
def name() -> None:
    """Reserved names of deleted and renamed packages."""


@name.command()
@click.argument("service", type=SERVICE)
@click.argument("name")
def release(service: str, name: str) -> dict[str, str]:
    """Make the reserved NAME of a SERVICE available to everyone.

    NAME is a module, AUTHOR/NAME of a Luanti package, or a package of Hel.
    """
    names.release(service, name)
    return {"service": service, "name": name}
