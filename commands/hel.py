"""`moonbase hel`: packages, for administrators."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from commands import hel_oppm

if TYPE_CHECKING:
    from chalicelib.core.catalogues.snapshots import Entry
    from chalicelib.hel.entry import PackageEntry


@click.group()
def hel() -> None:
    """OpenComputers packages of Hel."""


hel.add_command(hel_oppm.import_)


@hel.command("list")
@click.option("--owner", metavar="ACCOUNT", help="Only packages of this account.")
def list_(owner: str | None) -> list[dict[str, Any]]:
    """List the packages, oldest first."""
    from chalicelib.hel import index

    return [
        _row(entry)
        for entry in index.catalogue.snapshot().entries.values()
        if owner is None or owner.lower() in {name.lower() for name in entry.value.owners}
    ]


@hel.command()
@click.argument("name")
def show(name: str) -> dict[str, Any]:
    """Show the package NAME."""
    from chalicelib.core.errors import NotFound
    from chalicelib.hel import index

    entry = index.find(index.catalogue.snapshot(), name)
    if entry is None:
        raise NotFound(f"There is no package {name}.")
    value = entry.value
    return {
        **_row(entry),
        "license": value.license,
        "authors": ", ".join(value.authors),
        "tags": ", ".join(value.tags),
        "short_description": value.short_description,
        "archive_reason": value.archive_reason,
        "created_at": _time(value.created_at),
        "updated_at": _time(value.updated_at),
        "views": index.uses(entry)[0],
    }


@hel.command()
@click.argument("name")
@click.option("--reason", metavar="TEXT", help="Why, in a line that everyone can read.")
def archive(name: str, reason: str | None) -> dict[str, Any]:
    """Remove the package NAME from lists; who knows its name can install it."""
    from chalicelib.hel import archiving

    return _row(archiving.archive(name, reason, None))


@hel.command()
@click.argument("name")
def unarchive(name: str) -> dict[str, Any]:
    """List the archived package NAME again."""
    from chalicelib.hel import archiving

    return _row(archiving.unarchive(name, None))


def _row(entry: "Entry[PackageEntry]") -> dict[str, Any]:
    from chalicelib.hel import index

    return {
        "package": entry.value.name,
        "owners": ", ".join(entry.value.owners),
        "versions": ", ".join(entry.value.versions),
        "archived": entry.value.archived,
        "downloads": index.uses(entry)[1],
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
