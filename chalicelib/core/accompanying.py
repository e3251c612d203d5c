"""Finds the README and the licence text in an untrusted archive of sources: a zip, or a zip around another archive."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

from chalicelib.core import bytecode
from chalicelib.core.confinement.limits import Limits
from chalicelib.core.confinement.workers import Confined, Stopped

LONGEST = 256 * 1024  # bytes of a text; the rest of a longer one is dropped
_KINDS = {"readme": ("readme",), "license": ("license", "licence", "copying", "unlicense", "copyright")}
_ENDINGS = ("", ".md", ".markdown", ".txt", ".rst", ".adoc", ".org", ".html")  # best first
_DEEPEST = 2  # folders above a file
_READER = Confined(
    "chalicelib.core.accompanying:make_reader", b"", Limits(seconds=10.0, cpu_seconds=2, memory=384 << 20)
)

_Files = Iterator[tuple[str, Callable[[], bytes]]]


@dataclass(frozen=True)
class FoundText:
    """A text in an archive: the name of its file, and its content."""

    name: str
    text: str


def read(content: bytes) -> dict[str, FoundText]:
    """The texts in an archive by kind, `readme` and `license`; a confined process reads them.

    An archive that is damaged, or takes too much time or memory, has none. Raises Busy.
    """
    try:
        found = json.loads(_READER.run(content))
    except Stopped:
        return {}
    return {kind: FoundText(name, text) for kind, (name, text) in found.items()}


def make_reader() -> Callable[[bytes], bytes]:
    """Return the function that answers with JSON; its sample is an archive of each kind."""
    sample = bytecode.sample()

    def work(content: bytes) -> bytes:
        return json.dumps(find(io.BytesIO(content or sample))).encode()

    return work


def find(file: IO[bytes]) -> dict[str, tuple[str, str]]:
    """The name and the text of the best file of each kind. Files nearer to the top are better."""
    best: dict[str, tuple[tuple[int, int], str, bytes]] = {}
    try:
        for path, content in _files(file):
            if (rank := _rank(path)) is None:
                continue
            kind, order = rank
            if kind not in best or order < best[kind][0]:
                best[kind] = order, path.rpartition("/")[2], content()
    except bytecode.DAMAGE_ERRORS:
        pass
    return {kind: (name, body.decode(errors="replace").replace("\0", "")) for kind, (_, name, body) in best.items()}


def _rank(path: str) -> tuple[str, tuple[int, int]] | None:
    """The kind of a file by its name, and its order among those of its kind; None for another file."""
    depth, name = path.count("/"), path.rpartition("/")[2].lower()
    if depth > _DEEPEST:
        return None
    stem = next((name.removesuffix(ending) for ending in _ENDINGS[1:] if name.endswith(ending)), name)
    kind = next((kind for kind, stems in _KINDS.items() if stem in stems), None)
    return (kind, (depth, _ENDINGS.index(name[len(stem) :]))) if kind else None


def _files(file: IO[bytes]) -> _Files:
    """The paths of a zip's files, with functions that read them; archives at its top count as folders."""
    with zipfile.ZipFile(file) as outer:
        for member in outer.infolist():
            if member.is_dir():
                continue
            yield member.filename, partial(_read_member, outer, member)
            if "/" not in member.filename and member.filename.lower().endswith(_ARCHIVES):
                yield from _below(outer, member)


_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def _below(outer: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Files:
    if member.filename.lower().endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(outer.read(member))) as inner:
            for each in inner.infolist():
                if not each.is_dir():
                    yield each.filename, partial(_read_member, inner, each)
        return
    with outer.open(member) as content, tarfile.open(fileobj=content, mode="r|*") as archive:
        for entry in archive:
            if entry.isreg() and (stream := archive.extractfile(entry)):
                yield entry.name.removeprefix("./"), partial(_start, stream)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    return _start(archive.open(member))


def _start(stream: IO[bytes]) -> bytes:
    with stream:
        return stream.read(LONGEST)
