"""Untrusted Lua shares an environment that a trusted prelude makes, and its faults have the line of its own chunk."""

import pytest

from chalicelib.core.lua import rooms
from chalicelib.core.lua.rooms import LARGE, SMALL, LuaFault, LuaSyntaxFault, Program

# Chunks can call `add(text)`, which keeps the text and the line of the chunk.
PRELUDE = """
return function(line, title)
   local rows = {}
   local globals = { title = title, string = string, pairs = pairs }
   function globals.add(text)
      rows[#rows + 1] = { text, line() or 0 }
   end
   return globals, function() return rows, globals end
end
"""


def rows(*chunks: tuple[str, bytes]) -> list[list[object]]:
    found: list[list[object]] = rooms.run(SMALL, Program(PRELUDE, chunks, ["Title"]), "Programs")[0]
    return found


def fault(*chunks: tuple[str, bytes]) -> LuaFault:
    with pytest.raises(LuaFault) as caught:
        rows(*chunks)
    return caught.value


def test_chunks_share_an_environment_and_know_their_line() -> None:
    first = b"function twice(text)\n add(text)\n add(title)\nend"
    assert rows(("first", first), ("second", b"\n\ntwice('x')")) == [["x", 3], ["Title", 3]]


def test_a_fault_in_a_function_of_another_chunk_has_the_line_of_the_call() -> None:
    found = fault(("first", b"function fail(text)\n local x = text.a.b\nend"), ("second", b"\n\n\nfail('x')"))
    assert (found.chunk, found.line) == (1, 4)
    assert found.message == "first:2: attempt to index field 'a' (a nil value)"


def test_a_syntax_fault_names_its_chunk() -> None:
    found = fault(("first", b"x = 1"), ("second", b"x ="))
    assert isinstance(found, LuaSyntaxFault)
    assert (found.chunk, found.message) == (1, "second:1: unexpected symbol near '<eof>'")


def test_an_endless_loop_ends_at_its_line() -> None:
    found = fault(("loop", b"\nwhile true do end"))
    assert (found.chunk, found.line, found.message) == (0, 2, "too many instructions")


@pytest.mark.parametrize("source", [b"x = ('a'):rep(1e9)", b"local t = {} while true do t = {t} end"])
def test_too_much_memory_is_a_fault(source: bytes) -> None:
    assert fault(("hog", source)).chunk == 0


@pytest.mark.parametrize("name", ["os", "io", "debug", "load", "loadstring", "require", "pcall", "getmetatable", "_G"])
def test_chunks_reach_only_what_the_prelude_gives(name: str) -> None:
    assert "nil value" in fault(("x", f"{name}()".encode())).message


def test_the_large_profile_holds_thirteen_thousand_rows() -> None:
    source = b"for i = 1, 13000 do add('host' .. i) end"
    found = rooms.run(LARGE, Program(PRELUDE, [("x", source)], ["Title"]), "Programs")[0]
    assert (len(found), found[-1]) == (13_000, ["host13000", 1])
