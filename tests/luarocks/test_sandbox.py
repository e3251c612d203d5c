"""A rockspec cannot affect the machine that evaluates it."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.luarocks.sandbox import SOURCE_LIMIT, Omitted, RockspecEvaluationError, RockspecSyntaxError, evaluate

ROOT = Path(__file__).parents[2]
SLOW_PATTERN = b'("a"):rep(200000):find(".-.-.-b")'

LOOPS = {
    "endless loop": b"while true do end",
    "one endless call": SLOW_PATTERN,
    "backtracking replacement": b'x = ("a"):rep(30000):gsub("a*a*a*a*a*b", "")',
}
HOGS = {
    "long string": b'x = ("a"):rep(1e9)',
    "endless concatenation": b's = "a" while true do s = s .. s end',
    "endless nesting": b"local t = {} while true do t = {t} end",
    "huge table": b"x = {} for i = 1, 1e9 do x[i] = i end",
    "deep recursion": b"local function f() return 1 + f() end f()",
    "recursion through gsub": b'local function f() return ("a"):gsub("a", f) end f()',
    "wide format": b'x = ("%99s"):rep(1e6):format("a")',
    "deep pattern": b'x = ("a"):rep(3e5):match(("a?"):rep(3e5) .. ("a"):rep(3e5))',
    "endless loop in Lua 5.4": b"local n <const> = 1; while true do end",
    "long string in Lua 5.4": b'local n <const> = 1; x = ("a"):rep(1e9)',
}
TOO_BIG = {
    "many values": b"x = {} for i = 1, 1e5 do x[i] = i end",
    "deep table": b"local t = {} x = t for i = 1, 100 do t.t = {} t = t.t end",
    "table in itself": b"x = {} x.x = x",
    "shared tables": b"x = {} for i = 1, 30 do x = {x, x} end",
    "much text": b'local s = ("a"):rep(1e5) x = {} for i = 1, 100 do x[i] = s end',
    "long key": b'x = {[("a"):rep(2e6)] = 1}',
    "long source": b"-" * (SOURCE_LIMIT + 1),
}


def children() -> set[int]:
    lists = Path("/proc/self/task").glob("*/children")
    pids = {int(pid) for each in lists for pid in each.read_text().split()}
    return {pid for pid in pids if b"chalicelib.core.lua.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def outcome(source: bytes) -> dict[str, Any] | Exception:
    try:
        return evaluate(source)
    except (RockspecSyntaxError, RockspecEvaluationError) as fault:
        return fault


def test_globals_come_back_as_plain_data() -> None:
    source = b'package = "a" n = 3 f = 0.5 yes = true no = false list = {"x", {"y"}} named = {k = "v", deep = {}}'
    assert evaluate(source) == {
        "package": "a",
        "n": 3,
        "f": 0.5,
        "yes": True,
        "no": False,
        "list": ["x", ["y"]],
        "named": {"k": "v", "deep": {}},
    }


def test_a_table_with_both_parts_keeps_its_array_part() -> None:
    assert evaluate(b't = {"a", "b", k = "c", [9] = "d", ["1"] = "hidden"}') == {
        "t": {"1": "a", "2": "b", "9": "d", "k": "c"}
    }


def test_keys_without_json_form_are_left_out() -> None:
    assert evaluate(b"t = {[true] = 1, [{}] = 2, [1.5] = 3, kept = 4}") == {"t": {"kept": 4}}


def test_functions_and_endless_numbers_are_known_by_their_type() -> None:
    number = Omitted("number")
    assert evaluate(b"t = {function() end, 1/0, 0/0}") == {"t": [Omitted("function"), number, number]}


def test_the_names_of_undefined_globals_are_known() -> None:
    assert evaluate(b"a = 1; local x, y = a, b; c = d; d = 1").undefined == ("b", "d")


@pytest.mark.parametrize("lua", [b"", b"local n <const> = 1; "])
def test_escapes_are_read_as_in_luajit_and_lua_5_4(lua: bytes) -> None:
    source = rb"""x = "caf\xc3\xa9 \\x41 \u{2014} a\z
        b\"\x41" y = '\x41"\'\x42' z = [[\x41]] w = [=[ "\x41" ]] ]=] -- "\x41
        --[[ " ]] v = "\065\x42" .. '' .. "\x43\
" """
    assert evaluate(lua + source) == {
        "x": 'caf\u00e9 \\x41 \u2014 ab"A',
        "y": "A\"'B",
        "z": "\\x41",
        "w": ' "\\x41" ]] ',
        "v": "ABC\n",
    }


def test_rockspecs_may_compute_their_fields() -> None:
    source = b"""
        local name, number = "thing", "1.2"
        package = name:upper():lower()
        version = ("%s-%d"):format(number, 1)
        source = { url = "https://example.org/" .. name .. "-" .. version:gsub("%-", "_") }
        if #package > 3 then long = true end
        for word in ("a b"):gmatch("%a") do last = word end
    """
    assert evaluate(source) == {
        "package": "thing",
        "version": "1.2-1",
        "source": {"url": "https://example.org/thing-1.2_1"},
        "long": True,
        "last": "b",
    }


def test_numbers_turn_into_text_as_in_lua_5_1() -> None:
    assert evaluate(b'version = "1." .. 4 / 2 .. "-" .. 2 ^ 0') == {"version": "1.2-1"}


def test_source_that_is_not_lua_5_1_can_be_lua_5_4() -> None:
    assert evaluate(b"local n <const> = 7 // 2; x = n .. '|' .. 4 / 2") == {"x": "3|2.0"}


def test_a_first_line_with_an_interpreter_is_skipped() -> None:
    assert evaluate(b'#!/usr/bin/lua\npackage = "a"') == {"package": "a"}


def test_bytes_that_are_not_utf_8_are_read_as_latin_1() -> None:
    assert evaluate(b'latin = "caf\xe9" utf = "caf\xc3\xa9"') == {"latin": "café", "utf": "café"}


@pytest.mark.parametrize(
    "source", [b"x =", b"x = = 1", b"\x1bLua\x54\x00", b"#!\n\x1bLuaR", b"# x\nx = 1", b"{" * 10_000, b"\xff"]
)
def test_a_source_that_is_not_lua_is_a_syntax_fault(source: bytes) -> None:
    with pytest.raises(RockspecSyntaxError):
        evaluate(source)


@pytest.mark.parametrize("source", [b"x = nil + 1", b'require "os"', b"x.y = 1", b'("x"):nothing()'])
def test_a_chunk_that_fails_is_an_evaluation_fault(source: bytes) -> None:
    with pytest.raises(RockspecEvaluationError):
        evaluate(source)


@pytest.mark.parametrize("hostile", [*LOOPS.values(), *HOGS.values(), *TOO_BIG.values()], ids=LOOPS | HOGS | TOO_BIG)
def test_a_greedy_rockspec_is_stopped_in_time(hostile: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(RockspecEvaluationError):
        evaluate(hostile)
    assert time.monotonic() - start < 8


def test_no_global_is_in_reach() -> None:
    usual = b"_G, _VERSION, python, io, os, debug, package, require, load, loadstring, loadfile, dofile, pcall, error"
    others = b"getmetatable, setmetatable, rawget, rawset, coroutine, string, table, math, getfenv, setfenv, print"
    assert evaluate(b"seen = {" + usual + b"} seen_too = {" + others + b"}") == {"seen": {}, "seen_too": {}}


@pytest.mark.parametrize("method", [b"dump", b"pack", b"unpack", b"packsize", b"__index", b"__class__"])
def test_strings_have_no_dangerous_method(method: bytes) -> None:
    assert evaluate(b'x = ("")["' + method + b'"]') == {}


def test_one_rockspec_leaves_nothing_for_the_next() -> None:
    evaluate(b"left = 1")
    evaluate(b"local short <const> = 1; also = 2")
    assert evaluate(b"x = {left, also}") == {"x": {}}


def test_a_slow_rockspec_does_not_hold_up_the_others() -> None:
    slow = threading.Thread(target=outcome, args=[SLOW_PATTERN])
    slow.start()
    start = time.monotonic()
    for _ in range(5):
        assert evaluate(b"x = 1") == {"x": 1}
    others_took = time.monotonic() - start
    still_slow = slow.is_alive()
    slow.join()
    assert still_slow, f"five evaluations waited for the slow one: {others_took:.2f} s"


def test_threads_get_their_own_answers() -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: evaluate(b"x = %d" % n), range(200)))
    assert answers == [{"x": n} for n in range(200)]


def test_the_child_is_started_again_after_it_died() -> None:
    evaluate(b"x = 1")
    (before,) = children()
    os.kill(before, signal.SIGKILL)
    assert evaluate(b"x = 2") == {"x": 2}
    assert children() != {before}


def test_evaluations_leave_no_descriptors_open() -> None:
    evaluate(b"x = 1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for source in (b"x = 1", b"x =", b"x.y = 1", TOO_BIG["long source"]) * 5:
        outcome(source)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def script(text: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-c", "from chalicelib.luarocks.sandbox import evaluate\n" + text]


def test_a_fork_of_the_parent_evaluates_too() -> None:
    program = script(
        "import os\n"
        "evaluate(b'x = 1')\n"
        "pid = os.fork()\n"
        "assert evaluate(b'x = 2') == {'x': 2}\n"
        "assert pid == 0 or os.waitpid(pid, 0)[1] == 0\n"
    )
    done = subprocess.run(program, cwd=ROOT, capture_output=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_child_ends_with_its_parent() -> None:
    program = script(
        "import time\n"
        "from pathlib import Path\n"
        "evaluate(b'x = 1')\n"
        "print(Path('/proc/thread-self/children').read_text(), flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = Path("/proc", parent.stdout.readline().decode().strip())
        assert child.exists()
        parent.kill()
    deadline = time.monotonic() + 10
    while gone(child) is False and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(child)


def gone(process: Path) -> bool:
    """Whether the process has ended, even if its parent has not waited for it yet."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="x={}[]()\"'-.,;# \n1aé", max_size=60).map(str.encode))
def test_any_bytes_give_data_or_a_fault(source: bytes) -> None:
    assert isinstance(outcome(source), dict | RockspecSyntaxError | RockspecEvaluationError)
