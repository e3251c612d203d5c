"""`moonbase catalogue`: the lists behind manifests and searches."""

from typing import Any

import click

from chalicelib.core.catalogue import Catalogue


@click.group()
def catalogue() -> None:
    """The lists behind manifests and searches."""


@catalogue.command()
@click.argument("name")
def rebuild(name: str) -> dict[str, Any]:
    """Rebuild the list NAME (luarocks, contentdb, contentdb-reviews, hel ...) from the stored items."""
    import app  # noqa: F401  (registers every service and its lists)

    if name not in Catalogue.named:
        raise click.BadParameter(f"there is no list {name}; there are {', '.join(sorted(Catalogue.named))}")
    snapshot = Catalogue.named[name].rebuild()
    return {"name": name, "sequence": snapshot.sequence, "entries": len(snapshot.entries)}
