"""The language of zone files: Lua with the functions of prelude.lua, in the confined room of core/lua."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from chalicelib.core.errors import Invalid
from chalicelib.core.lua import rooms
from chalicelib.core.lua.rooms import LuaFault, Program
from chalicelib.luadns.problems import Problem
from chalicelib.luadns.records import Draft

_BOM = b"\xef\xbb\xbf"
_LONGEST_NAME = 59  # characters of a chunk's name in Lua's messages


class Fault(NamedTuple):
    """A fault of a build: the file, or None, the line, if it is known, and what is wrong."""

    file: str | None
    line: int | None
    message: str

    @property
    def place(self) -> str:
        """`FILE:LINE`, or what is known of it."""
        return f"{self.file}:{self.line}" if self.line else self.file or ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Faulty(Invalid):
    """Files of zones have faults; the problems of the error are about `FILE:LINE`."""

    def __init__(self, *faults: Fault) -> None:
        problems = tuple(Problem(fault.place or None, fault.message) for fault in faults)
        super().__init__("; ".join(map(str, faults)), problems=problems)
        self.faults = faults


class Statement(NamedTuple):
    """A record in a file, whose name can be relative, and its line."""

    line: int
    draft: Draft


class Statements(NamedTuple):
    """The records of a zone, and the addresses of the secondaries that may transfer it, with their lines."""

    records: list[Statement]
    secondaries: list[tuple[str, int]]


def evaluate(zone: str, chunks: Sequence[tuple[str, bytes]]) -> Statements:
    """Evaluate the file of a zone: the last of the chunks, each a file name and a source; the others are templates.

    Raises Faulty with the file and the line of that file, also if a template is at fault; Busy.
    """
    names = [name for name, _ in chunks]
    program = Program(_prelude(), [(name, source.removeprefix(_BOM)) for name, source in chunks], [zone])
    try:
        rows, transfers = rooms.run(rooms.LARGE, program, "Zone files")
    except LuaFault as fault:
        raise Faulty(_fault(names[fault.chunk], fault)) from None
    records = [
        Statement(line, Draft(name, type_, content, None if ttl is False else ttl))
        for name, type_, content, ttl, line in rows or ()
    ]
    return Statements(records, [(address, line) for address, line in transfers or ()])


@cache
def _prelude() -> str:
    return (Path(__file__).parent / "prelude.lua").read_text()


def _fault(file: str, fault: LuaFault) -> Fault:
    """The fault without the position that the message repeats."""
    message, line = fault.message, fault.line
    place, colon, rest = message.removeprefix(f"{file[:_LONGEST_NAME]}:").partition(": ")
    if colon and place.isdecimal() and message.startswith(f"{file[:_LONGEST_NAME]}:"):
        line, message = line or int(place), rest
    return Fault(file, line, message)
