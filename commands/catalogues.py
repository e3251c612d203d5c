"""`moonbase catalogue`: the lists that manifests and searches are answered from."""

from typing import Any

import click

from chalicelib.core.catalogue import Catalogue


@click.group()
def catalogue() -> None:
    """The lists that manifests and searches are answered from."""


@catalogue.command()
@click.argument("name")
def rebuild(name: str) -> dict[str, Any]:
    """Make the list NAME (luarocks, contentdb, contentdb-reviews, hel ...) anew from what is stored."""
    import app  # noqa: F401  (with it every service, and so every list, is there)

    if name not in Catalogue.named:
        raise click.BadParameter(f"there is no list {name}; there are {', '.join(sorted(Catalogue.named))}")
    snapshot = Catalogue.named[name].rebuild()
    return {"name": name, "sequence": snapshot.sequence, "entries": len(snapshot.entries)}
