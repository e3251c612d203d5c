"""Programs of an OPPM repository in the model of Hel, with notes about what Hel cannot say."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.core.errors import Invalid
from chalicelib.hel import model
from chalicelib.hel.model import Document
from chalicelib.hel.oppm.cfg import Table

TAG = "oppm"  # of imported packages: without it, an import leaves a package alone
MOST_PROGRAMS = 1000  # of a repository
MOST_FILES = 1000  # of a program
_USUAL = ("", "/", "//usr", "//usr/", True)  # the folders of dependencies that mean /usr
_UNNAMED = re.compile(r"[^a-z0-9-]+")


class Repository(Protocol):
    """The files of a repository."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None without one. Raises TooLarge."""

    def below(self, folder: str) -> Sequence[str]:
        """The paths of all files in a folder and its sub-folders, relative to the folder, sorted; "" is the root."""


@dataclass
class OppmProgram:
    """A program: its package without versions, the files of a version (path here -> path there), and its notes."""

    document: Document
    files: dict[str, str]  # the path on a player's machine -> the path in the repository
    depends: Document
    changes: str
    notes: list[str] = field(default_factory=list)


def package_name(title: str) -> str:
    """The name of a program's package: Hel's names have no capitals, dots and underscores. Raises Invalid."""
    try:
        return model.check_name(_UNNAMED.sub("-", title.lower()).strip("-"))
    except Invalid:
        raise Invalid(f"{title[:100]!r} makes no name of a package.") from None


def read(title: str, described: Any, repository: Repository, account: str) -> OppmProgram:
    """The program with this title and description in a programs.cfg. Raises Invalid."""
    if not isinstance(described, dict) or not isinstance(described.get("files"), dict):
        raise Invalid("It has no table of files.")
    program = OppmProgram({}, {}, {}, _text(described, "note"))
    name = package_name(title)
    if name != title:
        program.notes.append(f"it is named {name} here")
    if described.get("hidden") is True:
        program.notes.append("it is listed here, but hidden in oppm")
    program.document = {
        "name": name,
        "description": model.check_text("description", _text(described, "description") or title),
        "short_description": _text(described, "description") or _text(described, "name") or title,
        "authors": _authors(described) or [account],
        "license": "unknown",
        "tags": [TAG],
        "screenshots": {},
        "versions": {},
    }
    for key, target in described["files"].items():
        _add_files(program, key, target, repository)
    _add_dependencies(program, described.get("dependencies"))
    return program


def _add_files(program: OppmProgram, key: Any, target: Any, repository: Repository) -> None:
    if not isinstance(key, str) or not isinstance(target, str):
        raise Invalid("Its files are no texts.")
    source, kind = (key[1:], key[0]) if key[:1] in (":", "?") else (key, "")
    branch, _, path = source.partition("/")
    path = posixpath.normpath("/" + path).lstrip("/")
    if branch not in ("master", "main"):
        program.notes.append(f"{path} is from the default branch, not from {branch}")
    if kind == "?":
        program.notes.append(f"{path} is replaced by an update, which oppm does not")
    names = repository.below(path) if kind == ":" else [""]
    if not names:
        raise Invalid(f"There is no folder {path} in the repository.")
    for name in names:
        origin = posixpath.join(path, name) if name else path
        place = posixpath.join(_folder(target), name or posixpath.basename(path))
        normal = model.location_of_path(place)["path"]
        if program.files.setdefault(normal, origin) != origin:
            program.notes.append(f"{origin} is left out, because {program.files[normal]} is installed at {normal}")
        if len(program.files) > MOST_FILES:
            raise Invalid(f"It has more than {MOST_FILES} files.")


def _folder(target: str) -> str:
    """The folder on a player's machine: `//etc` is absolute, everything else is below /usr."""
    return target[1:] if target.startswith("//") else "/usr/" + target.lstrip("/")


def _add_dependencies(program: OppmProgram, given: Any) -> None:
    """Add dependencies: a table of names with folders, or a list of names."""
    if given is None:
        return
    if not isinstance(given, dict):
        raise Invalid("Its dependencies are no table.")
    for key, value in given.items():
        title, folder = (value, "/") if isinstance(key, int) else (key, value)
        if not isinstance(title, str) or title.startswith(("http://", "https://")):
            program.notes.append(f"its dependency {str(title)[:100]} is no program, and is not imported")
            continue
        if folder not in _USUAL:
            note = f"its dependency {title[:100]} is installed in its usual folder, not in {folder}"
            program.notes.append(note[:300])
        program.depends[package_name(title)] = {"type": "required", "version": "*"}


def _authors(described: Table) -> list[str]:
    given = described.get("authors")
    listed = list(given.values()) if isinstance(given, dict) else [given]
    return model.check_texts("authors", [text for text in listed if isinstance(text, str) and text])


def _text(described: Table, name: str) -> str:
    """A text; of a list of texts, their lines."""
    given = described.get(name)
    if isinstance(given, dict):
        given = "\n".join(text for text in given.values() if isinstance(text, str))
    return given if isinstance(given, str) else ""
