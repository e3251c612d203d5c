"""`moonbase catalogue`: the lists behind manifests and searches."""

from typing import Any

import click

from chalicelib.core import registry


@click.group()
def catalogue() -> None:
    """The lists behind manifests and searches."""


@catalogue.command()
@click.argument("name")
def rebuild(name: str) -> dict[str, Any]:
    """Rebuild the list NAME from the stored items.

    NAME is luarocks, contentdb, contentdb-reviews, hel ...; an unknown NAME prints all.
    """
    found = registry.current().catalogues
    if name not in found:
        raise click.BadParameter(f"there is no list {name}; there are {', '.join(sorted(found))}")
    snapshot = found[name].rebuild()
    return {"name": name, "sequence": snapshot.sequence, "entries": len(snapshot.entries)}
