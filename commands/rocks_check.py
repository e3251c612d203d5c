"""`moonbase luarocks check`: lists published rockspecs that clients cannot load."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from commands.messages import message_of
from commands.progress import bar

if TYPE_CHECKING:
    from chalicelib.luarocks.entry import ModuleEntry


@click.command("check")
@click.pass_context
def check_rocks(ctx: click.Context) -> list[dict[str, Any]]:
    """List the published versions that no client can install, with the reasons.

    Earlier versions of Moonbase accepted them. Archived versions are listed, too. Delete such a version, or publish it
    again.
    """
    from chalicelib.luarocks import index

    entries = index.catalogue.snapshot().entries
    found: list[dict[str, Any]] = []
    with bar(ctx, "checking", len(entries)) as progress:
        for entry in entries.values():
            found += _unloadable(entry.value)
            progress(1)
    return sorted(found, key=lambda row: (row["module"], row["version"]))


def _unloadable(module: "ModuleEntry") -> Iterator[dict[str, Any]]:
    from chalicelib.core import blobs
    from chalicelib.core.errors import CoreError
    from chalicelib.luarocks import index, rockspecs

    for name, version in module.versions.items():
        try:
            rockspecs.parse(blobs.get(blobs.key_of(index.AREA, version.file.sha256)))
        except CoreError as error:
            yield {
                "module": f"{module.user}/{module.name}",
                "version": name,
                "archived": module.archived or version.archived,
                "why": message_of(error),
            }
