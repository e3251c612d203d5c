"""The files of zones: which file of a repository makes which zone.

`example.com.lua` and `example.org.bind` make the zone that they are named after, `example.com.clones` more zones like
`example.com`. `templates.lua` and `templates/*.lua` run before every Lua file. Other files are ignored.
"""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from chalicelib.core import zip_members
from chalicelib.core.errors import Invalid
from chalicelib.luadns import names
from chalicelib.luadns.language.evaluation import Fault, Faulty

LARGEST_FILE = 1 << 20  # bytes
LARGEST_TOTAL = 8 << 20  # bytes of all files that are read
_MOST_FILES = 10_000  # in an archive
_MOST_READ = 2000
_READ = re.compile(r"[^/]+\.(lua|bind|clones)|templates/[^/]+\.lua")
_TEMPLATES = "templates.lua"
_SUFFIX = re.compile(r"\.(lua|bind|clones)$")

Files = Mapping[str, bytes]  # path -> content, of the files that `_READ` matches


class ZoneSource(NamedTuple):
    """What makes a zone: its file, and the chunks (file name, source) to evaluate; a BIND file is the only one."""

    zone: str
    file: str
    chunks: tuple[tuple[str, bytes], ...]

    @property
    def is_bind(self) -> bool:
        """Whether the file is a BIND zone file."""
        return self.file.endswith(".bind")


def of_directory(folder: Path) -> dict[str, bytes]:
    """Read the files in a working copy. Raises Faulty."""
    found = {}
    for parent in (folder, folder / "templates"):
        for path in sorted(parent.glob("*")) if parent.is_dir() else ():
            name = path.relative_to(folder).as_posix()
            if not _READ.fullmatch(name) or not path.is_file():
                continue
            if path.is_symlink():
                raise Faulty(Fault(name, None, "is a symbolic link"))
            with path.open("rb") as file:
                found[name] = file.read(LARGEST_FILE + 1)
            _check_size(found, name)
    return found


def of_zip(content: bytes, prefix: str = "") -> dict[str, bytes]:
    """Read the files in a zip, below the folder `prefix`. Raises Invalid or Faulty."""
    found: dict[str, bytes] = {}
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_FILES:
                raise Invalid(f"The archive has more than {_MOST_FILES} files.")
            zip_members.check(members, "The archive", _MOST_FILES)
            for member in members:
                name = member.filename.removeprefix(prefix)
                if not member.is_dir() and member.filename.startswith(prefix) and _READ.fullmatch(name):
                    with archive.open(member) as file:
                        found[name] = file.read(LARGEST_FILE + 1)
                    _check_size(found, name)
    except zip_members.DAMAGE_ERRORS:
        raise Invalid("The archive is not a zip file that can be read.") from None
    return found


def of_files(files: Files) -> list[ZoneSource]:
    """Return what makes each zone, in the order of their names. Raises Faulty with all faults."""
    files = {name: content for name, content in files.items() if _READ.fullmatch(name)}
    templates = tuple((name, files[name]) for name in sorted(files) if name == _TEMPLATES or "/" in name)
    templates = tuple(sorted(templates, key=lambda chunk: chunk[0] != _TEMPLATES))
    faults: list[Fault] = []
    found: dict[str, ZoneSource] = {}
    for file in sorted(name for name in files if name != _TEMPLATES and "/" not in name):
        try:
            for source in _sources(files, file, templates):
                first = found.setdefault(source.zone, source)
                if first is not source:
                    raise Faulty(Fault(file, None, f"the zone {source.zone} is made by {first.file} already"))
        except Faulty as error:
            faults += error.faults
    if not (found or faults):
        faults.append(Fault(None, None, "There are no zone files at the top, such as example.com.lua."))
    if faults:
        raise Faulty(*faults)
    return [found[zone] for zone in sorted(found)]


def _sources(files: Files, file: str, templates: tuple[tuple[str, bytes], ...]) -> Iterator[ZoneSource]:
    zone = _zone_name(_SUFFIX.sub("", file), file)
    if file.endswith(".bind"):
        yield ZoneSource(zone, file, ((file, files[file]),))
    elif file.endswith(".lua"):
        yield ZoneSource(zone, file, (*templates, (file, files[file])))
    else:
        original = f"{file.removesuffix('.clones')}.lua"
        if original not in files:
            raise Faulty(Fault(file, None, f"there is no {original} to clone"))
        for number, line in enumerate(files[file].decode(errors="replace").splitlines(), 1):
            if (name := line.partition("#")[0].strip()) != "":
                clone = _zone_name(name, file, number)
                yield ZoneSource(clone, file, (*templates, (original, files[original])))


def _zone_name(text: str, file: str, line: int | None = None) -> str:
    try:
        return names.zone_name(text)
    except ValueError:
        raise Faulty(Fault(file, line, f"{text[:100]} is not the name of a zone")) from None


def _check_size(found: Files, name: str) -> None:
    if len(found[name]) > LARGEST_FILE:
        raise Faulty(Fault(name, None, f"has more than {LARGEST_FILE} bytes"))
    if sum(map(len, found.values())) > LARGEST_TOTAL or len(found) > _MOST_READ:
        raise Invalid(f"The files of the zones have more than {LARGEST_TOTAL} bytes, or are more than {_MOST_READ}.")
