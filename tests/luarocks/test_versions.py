"""Versions and constraints have the same meaning as in the LuaRocks client."""

import random
import subprocess
from pathlib import Path

import pytest

from chalicelib.luarocks.versions import TARGETS, matches_lua

# For each line `version TAB dependency`, prints 1 if the version matches, 0 if not, - for an unreadable dependency.
ORACLE = r"""
require("luarocks.core.cfg").init()
local vers, queries = require("luarocks.core.vers"), require("luarocks.queries")
for line in io.lines() do
   local version, dependency = line:match("^(.-)\t(.*)$")
   local ok, query = pcall(queries.from_dep_string, dependency)
   if not ok or not query then
      print("-")
   else
      print(vers.match_constraints(vers.parse_version(version), query.constraints) and 1 or 0)
   end
end
"""


def client_results(pairs: list[tuple[str, str]], home: Path) -> list[str]:
    lines = "".join(f"{version}\t{dependency}\n" for version, dependency in pairs)
    done = subprocess.run(
        ["lua5.1", "-e", ORACLE], input=lines.encode(), capture_output=True, timeout=30, env={"HOME": str(home)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split()


def our_result(version: str, dependency: str, client: str) -> str:
    """Our result in the client's notation: for us an unreadable dependency, "-", must match no version."""
    if client == "-":
        return "0" if matches_lua(dependency, version) else "-"
    return "1" if matches_lua(dependency, version) else "0"


def some_version(chance: random.Random) -> str:
    pieces = ["5", "1", "5.1", "5.3", "0", "10", "01", "rc", "beta", "alpha", "pre", "scm", "dev", "cvs", "work", "x"]
    joints = ["", ".", ".", ".", "-", "_", "..", "-."]
    text = "".join(chance.choice(pieces) + chance.choice(joints) for _ in range(chance.randint(1, 4)))
    return text + chance.choice(["", "", "-1", "-2", "-0", "-12"])


def some_constraint(chance: random.Random) -> str:
    operator = chance.choice(["==", "~=", "!=", ">", "<", ">=", "<=", "~>", "=", "", "@", "@>=", "=>", "~", "<>"])
    return operator + chance.choice(["", " "]) + some_version(chance)


def some_dependency(chance: random.Random) -> str:
    name = chance.choice(["lua ", "lua ", "lua ", "lua", " lua\t", "user/lua ", "", "-"])
    listed = [some_constraint(chance) for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))]
    return name + chance.choice([", ", ",", " ", " ,, "]).join(listed) + chance.choice(["", "", " ", "/x", "?"])


def test_random_constraints_have_the_same_result_in_the_client(tmp_path: Path) -> None:
    chance = random.Random(51)
    pairs = [(some_version(chance), some_dependency(chance)) for _ in range(5000)]
    expected = client_results(pairs, tmp_path)
    ours = [our_result(*pair, client) for pair, client in zip(pairs, expected, strict=True)]
    different = [each for each in zip(pairs, expected, ours, strict=True) if each[1] != each[2]]
    assert different == []
    assert min(expected.count(answer) for answer in "10-") > 300, "the sample has too few of one result"


@pytest.mark.parametrize(
    ("lua_version", "listed"),
    [
        (None, "5.1 5.2 5.3 5.4 5.5"),
        ("lua", "5.1 5.2 5.3 5.4 5.5"),
        ("lua >= 5.1", "5.1 5.2 5.3 5.4 5.5"),
        ("lua >= 5.1, < 5.4", "5.1 5.2 5.3"),
        ("lua > 5.1, ~= 5.3", "5.2 5.4 5.5"),
        ("lua ~> 5.2", "5.2"),
        ("lua ~> 5", "5.1 5.2 5.3 5.4 5.5"),
        ("lua == 5.1", "5.1"),
        ("lua 5.1", "5.1"),
        ("lua == 5.1.0", ""),
        ("lua <= 5.2-1", "5.1 5.2"),
        ("lua >= 5.1.5", "5.2 5.3 5.4 5.5"),
        ("lua >= scm", ""),
        ("lua >= 5.4beta", "5.4 5.5"),
        ("lua => 5.1", ""),
        ("lua >= ", ""),
        ("?", ""),
    ],
)
def test_a_manifest_lists_versions_for_its_lua(lua_version: str | None, listed: str) -> None:
    assert " ".join(each for each in TARGETS if matches_lua(lua_version, each)) == listed


def test_long_versions_are_parsed_quickly() -> None:
    for text in ("1" * 5000, "1." * 5000, "-" * 5000, "a1" * 5000, "lua" + "-1" * 5000, "." * 5000):
        matches_lua(f"lua >= {text}", "5.1")
        matches_lua(text, "5.1")
