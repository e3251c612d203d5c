"""`moonbase luarocks import`: publishes rocks from a directory or another server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.messages import message_of
from commands.progress import bar
from commands.rocks_sources import ROCK, ROCKSPEC, RockSource, RocksServer, RockTree

if TYPE_CHECKING:
    from chalicelib.core.caller import Caller
    from chalicelib.luarocks.entry import ModuleEntry

_AT_ONCE = 8  # files that are read in parallel


@dataclass
class Report:
    """The result of an import: the numbers of new files of each kind, and the refused files with reasons."""

    rockspecs: int = 0
    rocks: int = 0
    already_here: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)


@click.command("import")
@click.argument("source")
@click.option("--account", "name", required=True, help="The account that will own the modules.")
@click.option(
    "--signatures", is_flag=True, help="Import signatures from a server, too; those in a directory always are."
)
@click.pass_context
def import_rocks(ctx: click.Context, source: str, name: str, signatures: bool) -> dict[str, Any]:
    """Publish all rockspecs and rocks of SOURCE.

    SOURCE is a directory, or the URL of a rocks server, also http://user:key@host.

    Files that are published already are skipped, so a second run continues where the first one stopped. Refused files
    are listed with the reason; the others are imported nevertheless.
    """
    from chalicelib.core.caller import Caller
    from chalicelib.core.identity import accounts
    from chalicelib.core.tables import Credential

    is_server = source.startswith(("http://", "https://"))
    files: RockSource = RocksServer(source) if is_server else RockTree(Path(source))
    filenames = files.filenames()
    caller = Caller(accounts.named(name), Credential("", "credential"))  # a placeholder key without a scope
    importer = Importer(files, caller, signed=signatures or not is_server)
    with bar(ctx, "importing", len(filenames)) as progress:
        for _ in importer.run(filenames):
            progress(1)
    report = importer.report
    return {
        "rockspecs": report.rockspecs,
        "rocks": report.rocks,
        "already_here": report.already_here,
        "refused": report.refused,
    }


class Importer:
    """Publishes files of `source` as `caller`; with their signatures if `signed`."""

    def __init__(self, source: RockSource, caller: "Caller", *, signed: bool) -> None:
        self.report = Report()
        self._source = source
        self._caller = caller
        self._signed = signed

    def run(self, filenames: list[str]) -> Iterator[str]:
        """Publish one file after the other, reading ahead; yields each name when the file is done."""
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            for start in range(0, len(filenames), _AT_ONCE):
                group = filenames[start : start + _AT_ONCE]
                missing = [name for name in group if not self._is_here(name)]
                self.report.already_here += len(group) - len(missing)
                for name, outcome in zip(missing, readers.map(self._read, missing), strict=True):
                    self._publish(name, outcome)
                yield from group

    def _publish(self, filename: str, outcome: "tuple[bytes, bytes | None] | OSError") -> None:
        from chalicelib.core.errors import CoreError

        try:
            if isinstance(outcome, OSError):
                raise outcome
            if ROCKSPEC.fullmatch(filename):
                self._publish_rockspec(filename, *outcome)
            else:
                self._publish_rock(filename, *outcome)
        except (CoreError, OSError) as error:
            self.report.refused.append({"file": filename, "why": message_of(error)})

    def _publish_rockspec(self, filename: str, content: bytes, signature: bytes | None) -> None:
        from chalicelib.core.errors import Invalid
        from chalicelib.luarocks import rocks, rockspecs

        spec = rockspecs.parse(content)
        if f"{spec.name}-{spec.version_name}.rockspec" != filename.lower():
            raise Invalid(f"The rockspec is for {spec.package} {spec.version}")
        rocks.publish_rockspec(self._caller, content, signature)
        self.report.rockspecs += 1

    def _publish_rock(self, filename: str, content: bytes, signature: bytes | None) -> None:
        """Publish a rock; if its version has no rockspec yet, first publish the rockspec inside the rock."""
        from chalicelib.core.errors import NotFound
        from chalicelib.luarocks import archives, rocks

        name, version, _ = _named(filename)
        if self._module(name, version) is None:
            self._publish_rockspec(
                f"{name}-{version}.rockspec", archives.rockspec_in(content, f"{name}-{version}.rockspec"), None
            )
        module = self._module(name, version)
        if module is None:
            raise NotFound("There is no such version.")
        target = rocks.Target(module, version, module.versions[version].id)
        rocks.publish_rock(self._caller, target, f"{name}{filename[len(name) :]}", content, signature)
        self.report.rocks += 1

    def _read(self, filename: str) -> "tuple[bytes, bytes | None] | OSError":
        try:
            content = self._source.read(filename)
            if content is None:
                return FileNotFoundError("the manifest lists it, but it does not exist")
            return content, self._source.read(f"{filename}.asc") if self._signed else None
        except OSError as error:
            return error

    def _is_here(self, filename: str) -> bool:
        name, version, arch = _named(filename)
        module = self._module(name, version)
        return module is not None and (arch is None or arch in module.versions[version].rocks)

    def _module(self, name: str, version: str) -> "ModuleEntry | None":
        """The module of this name that the account may publish, if it has this version; else None."""
        from chalicelib.luarocks import index, rocks

        module, found = rocks.find(index.catalogue.snapshot(), int(self._caller.account.id), name, version)
        return module if found else None


def _named(filename: str) -> tuple[str, str, str | None]:
    """Parse a file name: name and version in lower case, and a rock's architecture, None for a rockspec."""
    found = ROCK.fullmatch(filename) or ROCKSPEC.fullmatch(filename)
    assert found, "sources list rockspecs and rocks only"
    return found["name"].lower(), found["version"].lower(), found.groupdict().get("arch")
