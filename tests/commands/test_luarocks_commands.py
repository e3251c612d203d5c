"""`moonbase luarocks`: the administrator's commands for modules and manifests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.luarocks.builders import rockspec
from tests.servers import MOONBASE, moonbase

PUBLISH = """
import sys
from pathlib import Path
from standalone.runtime import open_data
open_data(Path(sys.argv[1]))
from chalicelib.core.identity import credentials
from chalicelib.luarocks import rocks
for key, name, version in (argument.split("|") for argument in sys.argv[2:]):
    spec = f'package="{name}" version="{version}" source={{url="x"}} build={{}}'
    rocks.publish_rockspec(credentials.identify(key, "luarocks"), spec.encode())
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice has published say 1.0-1 and 2.0-1; bob nothing."""
    directory = tmp_path_factory.mktemp("luarocks") / "data"
    for name in ("Alice", "bob"):
        moonbase(directory, "user", "create", name, "--email", f"{name}@example.org")
    key = moonbase(directory, "key", "create", "alice", "--service", "luarocks")["key"]
    publish = [sys.executable, "-c", PUBLISH, str(directory), f"{key}|say|1.0-1", f"{key}|say|2.0-1", f"{key}|gone|1-1"]
    subprocess.run(publish, cwd=MOONBASE.parent, check=True)
    return directory


ACCEPTED_BEFORE = """
import sys
from pathlib import Path
from standalone.runtime import open_data
open_data(Path(sys.argv[1]))
from chalicelib.core.identity import credentials
from chalicelib.luarocks import loader, rocks
loader.check = lambda rockspec: None
rocks.publish_rockspec(credentials.identify(sys.argv[2], "luarocks"), b"package='old' version='0.4.0' source={url='x'}")
"""


def refusal(data: Path, *arguments: str, stdin: str = "") -> tuple[int, str]:
    command = [sys.executable, str(MOONBASE), "--data", str(data), "luarocks", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, input=stdin)
    return done.returncode, done.stderr.strip()


def test_a_module_is_shown(data: Path) -> None:
    assert moonbase(data, "luarocks", "show", "Alice/Say") == {
        "module": "alice/say",
        "owners": "alice",
        "invited": None,
        "root": True,
        "archived": False,
        "reason": None,
        "immutable": False,
        "manifests": None,
        "versions": "2.0-1, 1.0-1",
        "archived_versions": None,
        "downloads": 0,
    }


def test_modules_are_listed(data: Path) -> None:
    row = {"newest": "2.0-1", "versions": 2, "root": True, "archived": False, "downloads": 0}
    listed = moonbase(data, "luarocks", "list")
    assert listed[-1] == {"module": "alice/say", **row}
    assert [each["module"] for each in listed] == sorted(each["module"] for each in listed)
    assert moonbase(data, "luarocks", "list", "--user", "ALICE") == listed
    assert moonbase(data, "luarocks", "list", "--user", "bob") == []


def test_publications_are_listed_with_their_hashes(data: Path) -> None:
    row = moonbase(data, "activity", "--published", "--action", "publish", "--limit", "1")[0]
    (file,) = row.pop("files")
    assert {**row, "at": "then"} == {
        "service": "luarocks",
        "kind": "version",
        "name": "alice/say",
        "action": "publish",
        "at": "then",
        "version": "1.0-1",
        "former_name": None,
        "listed": True,
        "actor": "Alice",
        "number": 0,
        "credential": 1,
        "key": None,
        "address": None,
    }
    assert (file["name"], len(file["sha256"]), file["size"] > 0) == ("say-1.0-1.rockspec", 64, True)


def test_owners_are_added_transferred_to_and_removed(data: Path) -> None:
    assert moonbase(data, "luarocks", "owner", "add", "alice/say", "bob")["owners"] == "alice, bob"
    assert moonbase(data, "luarocks", "transfer", "alice/say", "bob")["module"] == "bob/say"
    assert moonbase(data, "luarocks", "transfer", "bob/say", "alice")["module"] == "alice/say"
    assert moonbase(data, "luarocks", "owner", "remove", "alice/say", "bob")["owners"] == "alice"
    actions = [row["action"] for row in moonbase(data, "activity", "--account", "bob")]
    assert actions[:4] == ["module.remove-owner", "module.transfer", "module.transfer", "module.add-owner"]


def test_modules_and_versions_are_archived(data: Path) -> None:
    archived = moonbase(data, "luarocks", "archive", "alice/say", "--version", "2.0-1", "--reason", "Leaks.")
    assert archived["archived_versions"] == "2.0-1 (Leaks.)"
    archived = moonbase(data, "luarocks", "archive", "alice/say", "--reason", "Use shout.")
    assert (archived["archived"], archived["reason"]) == (True, "Use shout.")
    assert moonbase(data, "luarocks", "unarchive", "alice/say")["archived"] is False
    assert moonbase(data, "luarocks", "unarchive", "alice/say", "--version", "2.0-1")["archived_versions"] is None


def test_a_module_becomes_immutable_and_changeable_again(data: Path) -> None:
    assert moonbase(data, "luarocks", "immutable", "alice/say")["immutable"] is True
    assert moonbase(data, "luarocks", "immutable", "alice/say", "--off")["immutable"] is False


def test_a_manifest_is_created_filled_and_deleted(data: Path) -> None:
    made = moonbase(data, "luarocks", "manifest", "create", "team", "--admin", "bob", "--open")
    assert (made["name"], made["admins"], made["is_open"]) == ("team", ["bob"], True)
    assert moonbase(data, "luarocks", "manifest", "add", "team", "alice/say")[0]["manifests"] == "team"
    assert moonbase(data, "luarocks", "manifest", "show", "team")["modules"] == ["alice/say"]
    assert [row["modules_count"] for row in moonbase(data, "luarocks", "manifest", "list")] == [1]
    code, message = refusal(data, "manifest", "delete", "team")
    assert (code, message) == (1, "moonbase: The manifest is not empty: remove its modules first")
    moonbase(data, "luarocks", "manifest", "remove", "team", "alice/say")
    assert moonbase(data, "luarocks", "manifest", "delete", "team") == {"deleted": "team"}


def test_a_deletion_asks_for_confirmation(data: Path) -> None:
    assert refusal(data, "delete", "alice/gone", stdin="n\n")[0] == 130
    assert moonbase(data, "luarocks", "show", "alice/gone")["versions"] == "1-1"
    assert moonbase(data, "luarocks", "delete", "alice/gone", "--yes") == {"deleted": "alice/gone"}
    assert refusal(data, "show", "alice/gone") == (1, "moonbase: There is no such module.")
    assert moonbase(data, "luarocks", "delete", "alice/say", "--version", "2.0-1", "--yes") == {
        "deleted": "alice/say 2.0-1"
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "say"], 2, "say is not USER/NAME"),
        (["delete", "alice/say", "--arch", "src", "--yes"], 2, "--arch needs --version"),
        (["owner", "add", "alice/say", "nobody"], 1, "moonbase: There is no account nobody."),
        (["root", "alice/nothing"], 1, "moonbase: There is no such module."),
    ],
)
def test_an_error_names_its_reason(data: Path, arguments: list[str], code: int, message: str) -> None:
    returned, error = refusal(data, *arguments)
    assert (returned, message in error) == (code, True)


def test_published_versions_that_no_client_can_load_are_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    moonbase(data, "user", "create", "alice", "--email", "alice@example.org")
    key = moonbase(data, "key", "create", "alice", "--service", "luarocks")["key"]
    publish = [sys.executable, "-c", PUBLISH, str(data), f"{key}|say|1.0-1"]
    subprocess.run(publish, cwd=MOONBASE.parent, check=True)
    assert moonbase(data, "luarocks", "check") == []
    subprocess.run([sys.executable, "-c", ACCEPTED_BEFORE, str(data), key], cwd=MOONBASE.parent, check=True)
    why = (
        "Type mismatch on field version: invalid value '0.4.0' does not match '[%w.]+-[%d]+' "
        "(using rockspec format 1.0)"
    )
    row = {"module": "alice/old", "version": "0.4.0", "archived": False, "why": why}
    assert moonbase(data, "luarocks", "check") == [row]
    moonbase(data, "luarocks", "archive", "alice/old")
    assert moonbase(data, "luarocks", "check") == [{**row, "archived": True}]


def test_the_replaced_files_of_an_account_are_listed(tmp_path: Path) -> None:
    data, tree = tmp_path / "data", tmp_path / "tree"
    tree.mkdir()
    moonbase(data, "user", "create", "alice", "--email", "alice@example.org")
    for content in (rockspec("say"), rockspec("say", lua="lua >= 5.4")):
        assert moonbase(data, "luarocks", "audit", "alice") == []
        (tree / "say-1.0-1.rockspec").write_bytes(content)
        moonbase(data, "luarocks", "import", str(tree), "--account", "alice")
    (row,) = moonbase(data, "luarocks", "audit", "alice")
    assert [row[name] for name in ("module", "file", "revision")] == ["alice/say", "say-1.0-1.rockspec", 2]
    assert row["sha256"] != row["first_sha256"]
