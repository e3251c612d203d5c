"""The import from another Moonbase: owners, dates, downloads and states come along; a second run changes nothing."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core import job_runner
from chalicelib.core.identity import accounts
from chalicelib.luarocks import index, modules
from commands.rocks_import import import_rocks
from tests.client import Client
from tests.luarocks.builders import rock, rockspec
from tests.servers import Server, moonbase, read, serving
from tests.web_server import response, web_server

REPORT = {"rockspecs": 0, "rocks": 0, "replaced": 0, "already_here": 0, "modules": 0, "refused": []}


def run(*arguments: str) -> Any:
    """Run the command on the tables of the test."""
    return import_rocks.main(arguments, standalone_mode=False, obj={"as_json": True})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with modules of Alice and Bob: `say` of both, with versions, rocks, an owner, downloads and states."""
    data = tmp_path_factory.mktemp("source") / "data"
    with serving(data, "--workers", "1") as server:
        alice, bob = server.make_key("Alice"), server.make_key("Bob")
        for version in ("1.0-1", "2.0-1", "scm-1"):
            number = server.upload_rockspec(alice, version)[1]["version"]["id"]
            server.upload_rock(alice, number, f"say-{version}.src.rock", rock("say", version))
        server.upload_rockspec(bob, "9.0-1")
        for _ in range(3):
            server.get("/say-1.0-1.rockspec", **{"User-Agent": "curl"})
        moonbase(data, "luarocks", "archive", "alice/say", "--version", "1.0-1", "--reason", "Leaks.")
        moonbase(data, "luarocks", "archive", "bob/say", "--reason", "Use Alice's.")
        server.make_key("Carol")
        moonbase(data, "luarocks", "owner", "add", "alice/say", "carol")
        moonbase(data, "luarocks", "immutable", "alice/say")
        moonbase(data, "jobs", "run", "luarocks-downloads")
        deadline = time.monotonic() + 30
        while documents(server)[0]["module"]["downloads"] != 3:  # the server follows the counts within seconds
            assert time.monotonic() < deadline, "the server shows no downloads"
            time.sleep(0.1)
        yield server


def documents(server: Server) -> list[dict[str, Any]]:
    return sorted(json.loads(server.get("/api/1/export")[1])["modules"], key=lambda one: one["module"]["user"])


def shown(client: Client, user: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/modules/{user}/say").json
    return found


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """A document without ids and URLs, and without its place in this server's log."""
    text = json.dumps({**document, "module": {**document["module"], "id": 0, "url": "", "purl": ""}})
    found: dict[str, Any] = json.loads(text)
    for version in found["versions"]:
        version["id"], version["purl"] = 0, ""
        for file in version["files"]:
            file["url"], file["log"] = "", None
    return found


def test_everything_comes_along(client: Client, aws: None, source: Server) -> None:
    for name in ("Alice", "Bob", "Carol"):
        accounts.create(name, f"{name}@example.org")
    assert run(source.url) == {**REPORT, "rockspecs": 4, "rocks": 3, "modules": 2}
    job_runner.run_now("luarocks-downloads")
    there = documents(source)
    assert [comparable(shown(client, user)) for user in ("alice", "bob")] == [comparable(each) for each in there]
    alice = there[0]
    assert [alice["module"][name] for name in ("in_root", "immutable", "downloads")] == [True, True, 3]
    assert [(each["version_name"], each["archived"], each["reason"]) for each in alice["versions"]] == [
        ("scm-1", False, None),
        ("2.0-1", False, None),
        ("1.0-1", True, "Leaks."),
    ]
    before = index.catalogue.snapshot().sequence
    assert run(source.url) == {**REPORT, "already_here": 7}
    assert index.catalogue.snapshot().sequence == before


def test_a_module_without_an_account_here_is_refused(client: Client, aws: None, source: Server) -> None:
    accounts.create("Alice", "alice@example.org")
    answer = run(source.url)
    refused = {row["file"]: row["why"] for row in answer["refused"]}
    assert list(refused) == ["manifests/bob/say-9.0-1.rockspec", "alice/say, owner carol", "bob/say"]
    assert list(refused.values()) == [f"There is no account {name}." for name in ("bob", "carol", "bob")]
    for name in ("Bob", "Carol"):
        accounts.create(name, f"{name}@example.org")
    assert run(source.url) == {**REPORT, "rockspecs": 1, "already_here": 6, "modules": 2}


def test_one_account_gets_all_modules_with_different_names(client: Client, aws: None, source: Server) -> None:
    accounts.create("dora", "dora@example.org")
    answer = run(source.url, "--account", "dora")
    assert answer["refused"] == [
        {"file": "manifests/bob/say-9.0-1.rockspec", "why": "The account gets the module of that name by alice"}
    ]
    assert {**answer, "refused": []} == {**REPORT, "rockspecs": 3, "rocks": 3, "modules": 1}
    there, here = documents(source)[0], shown(client, "dora")
    assert here["module"]["owners"] == ["dora"]
    assert [each["archived"] for each in here["versions"]] == [each["archived"] for each in there["versions"]]
    assert run(source.url, "--account", "dora")["modules"] == 0


def test_a_file_that_was_replaced_there_is_replaced_here(client: Client, aws: None, tmp_path: Path) -> None:
    accounts.create("Alice", "alice@example.org")
    with serving(tmp_path / "data", "--workers", "1") as server:
        key = server.make_key("Alice")
        server.upload_rockspec(key)
        run(server.url)
        changed = rockspec("say", lua="lua >= 5.4")
        connection = server.connect()
        head = b'--B\r\nContent-Disposition: form-data; name="rockspec_file"; filename="x"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        connection.request("POST", f"/api/1/{key}/upload", head + changed + b"\r\n--B--\r\n", headers)
        assert read(connection)[0] == 200
        connection.close()
        moonbase(server.data, "luarocks", "archive", "alice/say", "--reason", "Old.")
        modules.edit("alice", "say", None, archived=True)
        assert run(server.url) == {**REPORT, "replaced": 1, "modules": 1}
    assert client.get("/say-1.0-1.rockspec").body == changed
    assert shown(client, "alice")["module"]["reason"] == "Old."


def test_dates_of_another_server_come_along(client: Client, aws: None) -> None:
    accounts.create("alice", "alice@example.org")
    manifest = b'repository = { a = { ["1.0-1"] = { { arch = "rockspec" } }, ["2.0"] = { { arch = "rockspec" } } } }'
    dated = {"Last_Modified": "Tue, 02 Jan 2018 03:04:05 GMT"}
    files = {
        "/manifest": response(body=manifest),
        "/a-1.0-1.rockspec": response(body=rockspec("a"), **dated),
        "/a-2.0.rockspec": response(body=rockspec("a", "2.0"), **dated),
    }
    with web_server(lambda request, _: files.get(request.path) or response("404 Not Found")) as server:
        answer = run(server.url, "--account", "alice")
    assert (answer["rockspecs"], [row["file"] for row in answer["refused"]]) == (1, ["a-2.0.rockspec"])
    file = client.get("/api/1/modules/a").json["versions"][0]["files"][0]
    assert file["created_at"] == file["updated_at"] == "2018-01-02 03:04:05"
