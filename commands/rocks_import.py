"""`moonbase luarocks import`: publishes rocks from a directory, a Git mirror or another server."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.messages import message_of
from commands.progress import bar
from commands.rocks_moonbase import MoonbaseServer, state_of
from commands.rocks_sources import GitMirror, RockSource, RocksServer, RockTree, SourceContent, SourceFile

if TYPE_CHECKING:
    from chalicelib.core.caller import Caller
    from chalicelib.luarocks.entry import ModuleEntry, PublishedFile

_AT_ONCE = 8  # files that are read in parallel


@dataclass
class Report:
    """The result of an import: the numbers of new, replaced and present files, and what was refused, with reasons.

    `modules` counts the modules that got the owners, dates, downloads or states of another Moonbase.
    """

    rockspecs: int = 0
    rocks: int = 0
    replaced: int = 0
    already_here: int = 0
    modules: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)


@click.command("import")
@click.argument("source")
@click.option("--account", "name", help="The account that will own the modules.")
@click.option(
    "--signatures", is_flag=True, help="Import signatures from a server, too; those in a directory always are."
)
@click.pass_context
def import_rocks(ctx: click.Context, source: str, name: str | None, signatures: bool) -> dict[str, Any]:
    """Publish all rockspecs and rocks of SOURCE.

    SOURCE is a directory, a Git repository (git+https://... or a URL that ends with .git), or the URL of a rocks
    server, also http://user:key@host. From another Moonbase dates, downloads and archived states come along, and
    without --account also the owners: each module goes to the accounts with the names of its owners there.

    Files that are published already are skipped, so a second run continues where the first one stopped. Refused files
    are listed with the reason; the others are imported nevertheless.
    """
    files = _source(source)
    if name is None and not isinstance(files, MoonbaseServer):
        raise click.UsageError("--account is needed: only another Moonbase says who owns a module.")
    listed = files.listed()
    importer = Importer(files, name, signed=signatures or not isinstance(files, RocksServer))
    importer.report.refused += listed.refused
    with bar(ctx, "importing", len(listed.files)) as progress:
        for _ in importer.run(listed.files):
            progress(1)
    if isinstance(files, MoonbaseServer):
        importer.restore(files.documents)
    return asdict(importer.report)


def _source(source: str) -> RockSource:
    if source.startswith("git+") or (source.endswith(".git") and "://" in source):
        return GitMirror(source)
    if not source.startswith(("http://", "https://")):
        return RockTree(Path(source))
    moonbase = MoonbaseServer(source)
    return moonbase if moonbase.is_one() else RocksServer(source)


class Importer:
    """Publishes files of `source` as the account `name`, or if it is None as their owners.

    `signed`: with their signatures.
    """

    def __init__(self, source: RockSource, name: str | None, *, signed: bool) -> None:
        self.report = Report()
        self._source = source
        self._signed = signed
        self._name = name
        self._callers: dict[str, Caller] = {}
        self._taken: dict[str, str] = {}  # if one account gets all modules: the owner there, by the module's name

    def run(self, files: Sequence[SourceFile]) -> Iterator[SourceFile]:
        """Publish one file after the other, reading ahead; yields each when it is done."""
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            for start in range(0, len(files), _AT_ONCE):
                group = files[start : start + _AT_ONCE]
                wanted = [file for file in group if self._is_wanted(file)]
                for file, outcome in zip(wanted, readers.map(self._read, wanted), strict=True):
                    self._publish(file, outcome)
                yield from group

    def restore(self, documents: Sequence[dict[str, Any]]) -> None:
        """Give the modules the owners, states and downloads of another Moonbase; what is not here is skipped."""
        for document in documents:
            with self._refusing(f"{document['module']['user']}/{document['module']['name']}"):
                self.report.modules += self._restore(document)

    def _restore(self, document: dict[str, Any]) -> bool:
        from chalicelib.luarocks import index, moving

        name, owners = document["module"]["name"], document["module"]["owners"]
        account = self._caller(owners[0]).account
        user = account.username.lower()
        entry = index.catalogue.snapshot().entries.get(index.key_of(user, name))
        if entry is None or (self._name is not None and self._taken.get(name) != owners[0]):
            return False
        changed = False
        for owner in owners[1:] if self._name is None else ():
            with self._refusing(f"{owners[0]}/{name}, owner {owner}"):
                changed |= self._add_owner(entry.value, owner)
        changed |= moving.restore(user, name, *state_of(document))
        return _move_downloads(entry.value, document) or changed

    def _add_owner(self, module: "ModuleEntry", owner: str) -> bool:
        from chalicelib.core.identity import accounts
        from chalicelib.luarocks import ownership

        account = accounts.named(owner)
        if int(account.id) in module.owners.values():
            return False
        ownership.add(module.user, module.name, account, None)
        return True

    def _is_wanted(self, file: SourceFile) -> bool:
        """Whether a file is not here, or another one; a file without an account is refused."""
        wanted = False
        with self._refusing(file.path):
            self._require_own_name(file)
            known = self._known(file)
            wanted = known is None or file.sha256 not in (None, known.sha256) or self._is_local
            self.report.already_here += not wanted
        return wanted

    @property
    def _is_local(self) -> bool:
        """Whether reading a file is cheaper than not knowing whether it has changed."""
        return not isinstance(self._source, RocksServer)

    def _require_own_name(self, file: SourceFile) -> None:
        """Raise Invalid if another module of this name came first, because the account can have one only."""
        from chalicelib.core.errors import Invalid

        if self._name is None or file.owner is None:
            return
        first = self._taken.setdefault(file.names[0][0], file.owner)
        if first != file.owner:
            raise Invalid(f"The account gets the module of that name by {first}")

    def _publish(self, file: SourceFile, outcome: "tuple[SourceContent, bytes | None] | OSError") -> None:
        with self._refusing(file.path):
            if isinstance(outcome, OSError):
                raise outcome
            content, signature = outcome
            known = self._known(file)
            if known is not None and known.sha256 == sha256(content.body).hexdigest():
                self.report.already_here += 1
            elif file.arch is None:
                self._publish_rockspec(file, content, signature)
            else:
                self._publish_rock(file, content, signature)
            if known is not None:
                self.report.replaced += known.sha256 != sha256(content.body).hexdigest()
            elif file.arch is None:
                self.report.rockspecs += 1
            else:
                self.report.rocks += 1

    def _publish_rockspec(self, file: SourceFile, content: SourceContent, signature: bytes | None) -> None:
        from chalicelib.core.errors import Invalid
        from chalicelib.luarocks import rocks, rockspecs

        spec = rockspecs.parse(content.body)
        if (spec.name, spec.version_name) not in file.names:
            raise Invalid(f"The rockspec is for {spec.package} {spec.version}")
        self._open(file, spec.name)
        rocks.publish_rockspec(self._caller(file.owner), content.body, signature, _dates(file, content))

    def _publish_rock(self, file: SourceFile, content: SourceContent, signature: bytes | None) -> None:
        """Publish a rock; if its version has no rockspec yet, first publish the rockspec inside the rock."""
        from chalicelib.core.errors import NotFound
        from chalicelib.luarocks import archives, rocks

        found = self._version(file)
        if found is None:
            stem = file.filename.rsplit(".", 2)[0].lower()
            source = SourceContent(archives.rockspec_in(content.body, f"{stem}.rockspec"), content.modified)
            self._publish_rockspec(file, source, None)
            self.report.rockspecs += 1
            found = self._version(file)
        if found is None:
            raise NotFound("There is no such version.")
        module, version = found
        self._open(file, module.name)
        target = rocks.Target(module, version, module.versions[version].id)
        filename = module.name + file.filename[len(module.name) :]
        caller = self._caller(file.owner)
        rocks.publish_rock(caller, target, filename, content.body, signature, dates=_dates(file, content))

    def _open(self, file: SourceFile, name: str) -> None:
        """Let an archived module of another Moonbase take uploads; `restore` archives it again."""
        from chalicelib.luarocks import index, modules

        group = index.owner_group(int(self._caller(file.owner).account.id))
        entry = index.module(index.catalogue.snapshot(), group, name)
        if file.owner is not None and entry is not None and entry.value.archived:
            modules.edit(entry.value.user, name, None, archived=False)

    def _read(self, file: SourceFile) -> "tuple[SourceContent, bytes | None] | OSError":
        try:
            content = self._source.read(file.path)
            if content is None:
                return FileNotFoundError("the manifest lists it, but it does not exist")
            signature = self._source.read(f"{file.path}.asc") if self._signed else None
            return content, signature.body if signature else None
        except OSError as error:
            return error

    def _known(self, file: SourceFile) -> "PublishedFile | None":
        """The file, if it is published."""
        found = self._version(file)
        if found is None:
            return None
        version = found[0].versions[found[1]]
        if file.arch is None:
            return version.file
        return version.rocks[file.arch].file if file.arch in version.rocks else None

    def _version(self, file: SourceFile) -> "tuple[ModuleEntry, str] | None":
        """The module of a file that the account may publish, and the version's name, if it has this version."""
        from chalicelib.luarocks import index, rocks

        snapshot, number = index.catalogue.snapshot(), int(self._caller(file.owner).account.id)
        for name, version in file.names:
            module, found = rocks.find(snapshot, number, name, version)
            if module is not None and found is not None:
                return module, found
        return None

    def _caller(self, owner: str | None) -> "Caller":
        """The account for a module of `owner`. Raises NotFound."""
        from chalicelib.core.caller import Caller
        from chalicelib.core.identity import accounts
        from chalicelib.core.tables import Credential

        name = self._name or str(owner)
        if name not in self._callers:
            placeholder = Credential("", "credential")  # a key without a scope
            self._callers[name] = Caller(accounts.named(name), placeholder)
        return self._callers[name]

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        """List what fails in the block, with the reason."""
        from chalicelib.core.errors import CoreError

        try:
            yield
        except (CoreError, OSError) as error:
            self.report.refused.append({"file": what, "why": message_of(error)})


def _dates(file: SourceFile, content: SourceContent) -> Any:
    """The dates of a file at its source, if they are known."""
    from chalicelib.luarocks.uploaded import Dates

    updated_at = file.updated_at or content.modified
    return Dates(file.created_at or updated_at, updated_at) if updated_at else None


def _move_downloads(module: "ModuleEntry", document: dict[str, Any]) -> bool:
    from chalicelib.luarocks import downloads

    changed = False
    for version in document["versions"]:
        known = module.versions.get(version["version_name"])
        for file in version["files"] if known else ():
            if known and (file["downloads"] or file["arch"] == "rockspec"):
                changed |= downloads.move(module.id, known.id, file["arch"], file["downloads"])
    return changed
