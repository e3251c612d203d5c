"""The import of rocks: from a directory and from another server, repeatedly, with a reason for each refusal."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from chalicelib import settings
from chalicelib.core.tables import Account
from commands.rocks_import import import_rocks
from commands.rocks_manifest import read_manifest
from tests import git_server
from tests.client import Client
from tests.luarocks.builders import rockspec
from tests.servers import moonbase, rock, serving

MANIFEST = """-- a comment
commands = {}
modules = {
   ["say.init"] = { "say/1.0-1" }, other = { 'say/1.0-1'; "x" }
}
repository = {
   say = {
      ["1.0-1"] = {
         { arch = "rockspec" }, -- no comma is missing here
         { arch = "src", text = "a \\"quoted\\"\\n\\65", long = [[<x>]] }
      },
      ["1.0-2"] = { [1] = { arch = "all" } }
   }
}
"""


def test_a_manifest_is_parsed_as_data() -> None:
    assert read_manifest(MANIFEST) == {
        "commands": {},
        "modules": {"say.init": {1: "say/1.0-1"}, "other": {1: "say/1.0-1", 2: "x"}},
        "repository": {
            "say": {
                "1.0-1": {1: {"arch": "rockspec"}, 2: {"arch": "src", "text": 'a "quoted"\nA', "long": "<x>"}},
                "1.0-2": {1: {"arch": "all"}},
            }
        },
    }


@pytest.mark.parametrize("text", ["a = {", "a = }", "a = os.exit()", "a = 1 + 1", "a = { function() end }", "<html>"])
def test_a_manifest_that_is_not_plain_data_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a manifest"):
        read_manifest(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a-1.0-1.rockspec").write_bytes(rockspec("a"))
    (tree / "a-1.0-1.rockspec.asc").write_bytes(b"signed")
    (tree / "a-1.0-1.src.rock").write_bytes(rock("a", "1.0-1", b"x"))
    (tree / "only-2.0-1.all.rock").write_bytes(rock("only", "2.0-1", b"y"))
    (tree / "wrong-1.0-1.rockspec").write_bytes(rockspec("other"))
    (tree / "broken-1.0-1.rockspec").write_bytes(b"this is not Lua")
    (tree / "bad-1.0-1.src.rock").write_bytes(b"this is no zip")
    hostile = rock("hostile", "1.0-1", b"x").replace(b"hostile.so", b"../abcd.so")
    (tree / "hostile-1.0-1.src.rock").write_bytes(hostile)
    (tree / "manifest").write_text(MANIFEST)
    (tree / "Upper-1.0RC1-2.rockspec").write_bytes(rockspec("Upper", "1.0RC1-2"))
    (tree / "lua-say-more-1.0-1.rockspec").write_bytes(rockspec("lua-say-more"))
    (tree / "notes.txt").write_text("Some notes.")
    (tree / "nodash.rockspec").write_bytes(rockspec("nodash"))
    (tree / ".git").mkdir()
    (tree / "folder").mkdir()
    (tree / "index.html").write_text("<html>")
    return tree


UNKNOWN = "its name is neither NAME-VERSION.rockspec nor NAME-VERSION.ARCH.rock"
REFUSED = [
    {"file": "folder", "why": "it is a directory"},
    {"file": "nodash.rockspec", "why": UNKNOWN},
    {"file": "notes.txt", "why": UNKNOWN},
    {"file": "broken-1.0-1.rockspec", "why": "Failed to parse rockspec"},
    {"file": "wrong-1.0-1.rockspec", "why": "The rockspec is for other 1.0-1"},
    {"file": "bad-1.0-1.src.rock", "why": "The rock is not a zip file, or is truncated"},
    {"file": "hostile-1.0-1.src.rock", "why": "The rock has an unsafe path: ../abcd.so"},
]


MISMATCH = (
    "Type mismatch on field version: invalid value '1.0' does not match '[%w.]+-[%d]+' (using rockspec format 1.0)"
)


def report(**values: Any) -> dict[str, Any]:
    """The report of an import; what is not given is 0 or empty."""
    return {**dict.fromkeys(("rockspecs", "rocks", "replaced", "already_here", "modules"), 0), "refused": [], **values}


def run(*arguments: str) -> Any:
    """Run the command on the tables of the test."""
    return import_rocks.main(arguments, standalone_mode=False, obj={"as_json": True})


def test_a_directory_is_imported_and_refused_files_are_reported(client: Client, alice: Account, tree: Path) -> None:
    assert run(str(tree), "--account", "alice") == report(rockspecs=4, rocks=2, refused=REFUSED)
    assert client.get("/Upper-1.0RC1-2.rockspec").body == rockspec("Upper", "1.0RC1-2")
    assert client.get("/lua-say-more-1.0-1.rockspec").status == 200
    assert client.get("/a-1.0-1.rockspec").body == rockspec("a")
    assert client.get("/a-1.0-1.rockspec.asc").body == b"signed"
    assert client.get("/manifests/alice/a-1.0-1.src.rock").body == (tree / "a-1.0-1.src.rock").read_bytes()
    assert client.get("/only-2.0-1.all.rock").status == 200
    assert client.get("/other-1.0-1.rockspec").status == 404


def test_a_second_run_continues_where_the_first_stopped(client: Client, alice: Account, tree: Path) -> None:
    late = (tree / "a-1.0-1.src.rock").rename(tree.parent / "late")
    run(str(tree), "--account", "alice")
    late.rename(tree / "a-1.0-1.src.rock")
    assert run(str(tree), "--account", "alice") == report(rocks=1, already_here=4, refused=REFUSED)
    assert run(str(tree), "--account", "alice") == report(already_here=5, refused=REFUSED)


def test_a_file_that_was_replaced_since_is_replaced_here(client: Client, alice: Account, tree: Path) -> None:
    run(str(tree), "--account", "alice")
    changed = rockspec("a", lua="lua >= 5.3")
    (tree / "a-1.0-1.rockspec").write_bytes(changed)
    assert run(str(tree), "--account", "alice") == report(replaced=1, already_here=4, refused=REFUSED)
    assert client.get("/a-1.0-1.rockspec").body == changed


def test_only_another_moonbase_says_who_owns_a_module(aws: None, tree: Path) -> None:
    with pytest.raises(click.UsageError, match="--account is needed"):
        run(str(tree))


def test_a_git_mirror_is_imported(client: Client, alice: Account) -> None:
    repo = git_server.repository()
    files = {
        "a-1.0-1.rockspec": rockspec("a"),
        "a-1.0-1.src.rock": rock("a", "1.0-1", b"x"),
        "b-1.0.rockspec": rockspec("b", "1.0"),
        "manifest": b"never read",
        "index.html": b"<html>",
        "docs/x-1.0-1.rockspec": rockspec("x"),
    }
    git_server.commit(repo, files)
    refused = [
        {"file": "docs", "why": "it is a directory"},
        {"file": "b-1.0.rockspec", "why": MISMATCH},
    ]
    with git_server.serving({"mirror.git": repo}) as url, settings.override(outbound_networks=("127.0.0.0/8",)):
        assert run(f"{url}/mirror.git", "--account", "alice") == report(rockspecs=1, rocks=1, refused=refused)
        again = run(f"git+{url}/mirror.git", "--account", "alice")
    assert again == report(already_here=2, refused=refused)


def test_a_missing_directory_is_an_error(aws: None, alice: Account, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(str(tmp_path / "nowhere"), "--account", "alice")


def test_a_private_server_is_imported_with_its_key_in_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there" / "data", tmp_path / "here" / "data"
    for data in (there, here):
        data.parent.mkdir()
        moonbase(data, "user", "create", "alice", "--email", "alice@example.org")
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(20):
        (tree / f"a{number}-1.0-1.rockspec").write_bytes(rockspec(f"a{number}"))
    (tree / "a0-1.0-1.src.rock").write_bytes(rock("a0", "1.0-1", b"x"))
    moonbase(there, "luarocks", "import", str(tree), "--account", "alice")
    key = moonbase(there, "key", "create", "alice", "--service", "luarocks", "--scope", "read")["key"]
    monkeypatch.setenv("MOONBASE_LUAROCKS_READS", "key")
    with serving(there) as server:
        url = server.url.replace("http://", f"http://x:{key}@")
        answer = moonbase(here, "luarocks", "import", url, "--account", "alice", "--signatures")
    assert answer == report(rockspecs=20, rocks=1, modules=20)
    shown = moonbase(here, "luarocks", "show", "alice/a0")
    assert (shown["versions"], shown["root"]) == ("1.0-1", True)
    assert json.dumps(answer).find(key) == -1
