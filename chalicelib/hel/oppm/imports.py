"""Publishes the programs of an OPPM repository: their files are stored here, and a change is a version of its day."""

import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, CoreError, Invalid
from chalicelib.core.tables import now
from chalicelib.hel import advice, files, index, model, packages, semver
from chalicelib.hel.entry import PackageEntry, Version
from chalicelib.hel.model import Document
from chalicelib.hel.oppm import cfg, programs
from chalicelib.hel.oppm.programs import OppmProgram, Repository

_UNUSUAL = re.compile(r"[^A-Za-z0-9._~+@=,-]")


@dataclass
class OppmReport:
    """The names of new packages, of changed and of unchanged ones; notes, and what was refused, with the reason."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)


def publish(caller: Caller, repository: Repository, url: str) -> OppmReport:
    """Publish all programs of a repository as packages of the caller; `url` is the address of this server.

    A program that fails does not stop the others. A second run changes nothing. A program that the repository no longer
    has stays. Raises Invalid for a URL with parameters, and for a programs.cfg that cannot be read.
    """
    if "?" in (url := model.normal_url(url).rstrip("/")):
        raise Invalid("The address of the server has no parameters.")
    content = repository.read("programs.cfg")
    if content is None:
        raise Invalid("The repository has no programs.cfg.")
    table = cfg.parse(content)
    if len(table) > programs.MOST_PROGRAMS:
        raise Invalid(f"programs.cfg has more than {programs.MOST_PROGRAMS} programs.")
    report, names = OppmReport(), set[str]()
    for title, described in table.items():
        try:
            program = programs.read(str(title), described, repository, caller.account.username)
            if program.document["name"] in names:
                raise Invalid(f"Another program is named {program.document['name']} here.")
            names.add(program.document["name"])
            _publish(caller, program, repository, url, report)
            report.notes += [f"{title}: {note}" for note in program.notes]
        except CoreError as error:
            report.refused.append({"program": str(title)[:100], "why": error.message or "not found"})
    snapshot = index.catalogue.snapshot()
    for name in (*report.created, *report.updated, *report.unchanged):
        if entry := index.find(snapshot, name):
            report.notes += advice.warnings(snapshot, entry.value)
    return report


def _publish(caller: Caller, program: OppmProgram, repository: Repository, url: str, report: OppmReport) -> None:
    name = program.document["name"]
    entry = index.find(index.catalogue.snapshot(), name)
    if entry is not None:
        _require_imported(caller, entry.value)
    version = {
        "files": {_store(caller, repository, *places, url): {"path": places[0]} for places in program.files.items()},
        "depends": program.depends,
        "changes": program.changes,
    }
    if entry is None:
        document = {**program.document, "versions": {_number({}): version}}
        packages.create(caller, model.parse(document, caller.account.username))
        report.created.append(name)
    elif changes := _changes(entry.value, program.document, version):
        packages.update(caller, name, lambda: changes)
        report.updated.append(name)
    else:
        report.unchanged.append(name)


def _require_imported(caller: Caller, value: PackageEntry) -> None:
    """Raise Conflict for a package of others, also if the caller is an administrator, and for one without the tag."""
    if caller.account.username.lower() not in {owner.lower() for owner in value.owners}:
        raise Conflict(f"The package {value.name} has other owners: {', '.join(value.owners)}.")
    if programs.TAG not in value.tags:
        raise Conflict(f"The package {value.name} is not imported: it has no tag {programs.TAG}.")


def _changes(value: PackageEntry, document: Document, version: Document) -> Document:
    """The PATCH that makes a package like the program; empty if it is."""
    texts = {
        "description": document["description"],
        "short_description": model.truncate(document["short_description"]),
        "authors": document["authors"],
    }
    known = {
        "description": value.description,
        "short_description": value.short_description,
        "authors": list(value.authors),
    }
    changes: Document = {name: text for name, text in texts.items() if text != known[name]}
    if not _is_latest(value, version):
        changes["versions"] = {_number(value.versions): version}
    return changes


def _store(caller: Caller, repository: Repository, place: str, origin: str, url: str) -> str:
    """Store a file of the repository; return its URL."""
    content = repository.read(origin)
    if content is None:
        raise Invalid(f"There is no file {origin} in the repository.")
    try:
        file, _ = files.store(caller, _UNUSUAL.sub("-", posixpath.basename(place))[-100:], content)
    except CoreError as error:
        raise Invalid(f"{origin}: {error.message}") from None
    return url + files.path_of(file, place)


def _is_latest(value: PackageEntry, version: Document) -> bool:
    """Whether a version has the bytes, places and dependencies of the latest version of a package."""
    number = semver.latest(value.versions)
    if number is None:
        return False
    latest: Version = value.versions[number]
    hosted = {file["path"]: model.hosted(url) for url, file in version["files"].items()}
    return (
        {file.path: model.hosted(url) for url, file in latest.files.items()} == hosted
        and latest.depends.keys() == version["depends"].keys()
        and latest.changes == version["changes"]
    )


def _number(known: Collection[str]) -> str:
    """The version of today, such as 2026.1201.0; the last number counts the versions of a day."""
    today = now().strftime("%Y.%-m%d")
    return next(number for count in range(len(known) + 1) if (number := f"{today}.{count}") not in known)
