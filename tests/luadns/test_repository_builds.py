"""Zones from a Git repository, fetched from Debian's Git over HTTP and SSH: pushes, builds, their history."""

import base64
import hashlib
import hmac
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from chalicelib import settings
from chalicelib.core import job_runner
from chalicelib.core.identity import credentials
from chalicelib.core.lua import rooms
from chalicelib.core.notifications import inbox
from chalicelib.core.tables import Account
from chalicelib.luadns.git import builds
from tests.aws_calls import dies
from tests.client import Client, Reply
from tests.git_http import GitRepository, git, git_http
from tests.lambda_function import answering
from tests.luadns.api import LuaDns, assert_invalid, key_for, problem, stored
from tests.ssh_server import ssh_server
from tests.worlds import both_worlds

FILE = "example.com.lua"
A_RECORD = 'a("www", "192.0.2.1")\n'


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with settings.override(outbound_networks=("127.0.0.0/8",)):
        yield


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path)


@pytest.fixture
def url(tmp_path: Path, dns: LuaDns, repository: GitRepository) -> Iterator[str]:
    """Alice's repository, by HTTP."""
    with git_http(tmp_path) as base:
        uri = f"{base}/{repository.bare.name}"
        assert dns("PUT", "/repository", {"repo_uri": uri, "branch": "main"}).status == 200
        yield uri


@pytest.fixture
def secret(alice: Account) -> str:
    return credentials.create(alice, "luadns")[1]


def push(client: Client, secret: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
    return client.request("POST", f"/notifications/{secret}/push", body=body, headers=headers or {})


def built(dns: LuaDns, choices: dict[str, Any] | None = None) -> dict[str, Any]:
    """Build, and return the result."""
    number = dns.make("/builds", choices or {})["id"]
    job_runner.run_due()
    result: dict[str, Any] = dns.get(f"/builds/{number}")
    return result


def messages(build: dict[str, Any]) -> list[str]:
    assert build["state"] == "failed"
    return [error["message"] for error in build["errors"]]


def records(dns: LuaDns) -> list[tuple[str, str, str]]:
    (zone,) = dns.get("/zones")
    return dns.own(zone["id"])


@both_worlds
def test_a_push_builds_the_zones(
    client: Client, dns: LuaDns, alice: Account, repository: GitRepository, url: str, secret: str
) -> None:
    commit = repository.push({FILE: A_RECORD})
    reply = push(client, secret, b"any body")
    assert (reply.status, reply.json["state"], reply.json["commit"]) == (200, "queued", None)
    job_runner.run_due()
    build = dns.get(f"/builds/{reply.json['id']}")
    assert {name: value for name, value in build.items() if not name.endswith("_at")} == {
        "id": reply.json["id"],
        "state": "published",
        "repo_uri": url,
        "branch": "main",
        "commit": commit,
        "author": "Ann Author",
        "subject": "Change zones",
        "zones": [{"zone": "example.com", "file": FILE, "action": "create", "removed_count": 0, "added_count": 4}],
        "errors": [],
    }
    assert build["committed_at"] == "2023-11-14T22:13:20Z"
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]
    (notice,) = [each for each in inbox.entries(alice) if each.about == "luadns.build"]
    assert (notice.subject, notice.text) == (
        f"The build {build['id']} of {commit[:10]} is published",
        "example.com: create",
    )


@both_worlds
def test_jobs_evaluate_zones_in_the_function_of_the_stack(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: A_RECORD, "a.test.lua": "x ="})
    with settings.override(lua_evaluator="Evaluator"), answering(rooms.handle):
        assert messages(built(dns)) == ["unexpected symbol near '<eof>'"]
        repository.push({"a.test.lua": ""})
        assert built(dns)["state"] == "published"
    assert [zone["name"] for zone in dns.get("/zones")] == ["a.test", "example.com"]


def test_a_build_without_a_change_notifies_nobody(
    dns: LuaDns, alice: Account, repository: GitRepository, url: str
) -> None:
    repository.push({FILE: A_RECORD})
    assert [built(dns)["zones"][0]["action"] for _ in range(2)] == ["create", "unchanged"]
    assert len([each for each in inbox.entries(alice) if each.about == "luadns.build"]) == 1
    assert [build["state"] for build in dns.get("/builds")] == ["published", "published"]


def test_a_failed_build_names_file_and_line_and_changes_nothing(
    dns: LuaDns, alice: Account, repository: GitRepository, url: str
) -> None:
    repository.push({FILE: A_RECORD})
    built(dns)
    repository.push({FILE: 'a("www", "192.0.2.2")\n', "a.test.lua": "\nwhile true do end"})
    build = built(dns)
    assert (build["state"], build["zones"]) == ("failed", [])
    assert build["errors"] == [{"file": "a.test.lua", "line": 2, "message": "too many instructions"}]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]
    notice = next(iter(inbox.entries(alice)))
    assert notice.subject.endswith(" failed")
    assert notice.text == "a.test.lua:2: too many instructions"


def test_a_zone_whose_file_was_removed_needs_a_confirmation(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: A_RECORD, "a.test.lua": ""})
    built(dns)
    repository.push({"a.test.lua": None})
    build = built(dns)
    assert [zone["action"] for zone in build["zones"]] == ["file removed", "unchanged"]
    assert [zone["name"] for zone in dns.get("/zones")] == ["a.test", "example.com"]
    retried = dns.make(f"/builds/{build['id']}/retry", {"prune": True})
    job_runner.run_due()
    assert dns.get(f"/builds/{retried['id']}")["zones"][0]["action"] == "remove"
    assert [zone["name"] for zone in dns.get("/zones")] == ["example.com"]


def test_a_repository_without_zones_removes_nothing(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: A_RECORD})
    built(dns)
    repository.push({FILE: None, "README.md": "x"})
    assert messages(built(dns, {"prune": True})) == ["There are no zone files at the top, such as example.com.lua."]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]


def test_a_branch_that_was_moved_back_needs_a_confirmation(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: A_RECORD})
    new = repository.push({FILE: 'a("www", "192.0.2.2")\n'}, at=1_700_000_100)
    built(dns)
    old = repository.move_back()
    build = built(dns)
    assert messages(build) == [
        f"The branch was moved back: the commit {old[:10]} is older than {new[:10]}, which is published. Retry the "
        "build with older to publish it."
    ]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.2")]
    dns.make(f"/builds/{build['id']}/retry", {"older": True})
    job_runner.run_due()
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]


def test_pushes_join_the_build_that_waits(
    client: Client, dns: LuaDns, repository: GitRepository, url: str, secret: str
) -> None:
    repository.push({FILE: A_RECORD})
    numbers = {push(client, secret).json["id"] for _ in range(100)}
    assert len(numbers) == 1
    assert job_runner.run_due() == 1
    assert [build["id"] for build in dns.get("/builds")] == list(numbers)
    assert push(client, secret).json["id"] not in numbers


@pytest.mark.parametrize("after", [1, 2])
def test_a_build_whose_process_died_is_continued_before_the_next(
    dns: LuaDns, repository: GitRepository, url: str, after: int
) -> None:
    repository.push({FILE: A_RECORD})
    first = dns.make("/builds", {})["id"]
    assert dies(job_runner.run_due, after, of="TransactWriteItems")
    assert dns.get(f"/builds/{first}")["state"] == "running"
    second = dns.make("/builds", {})["id"]
    job_runner.run_due()
    states = [(build["id"], build["state"]) for build in dns.get("/builds")]
    assert states == [(second, "published"), (first, "published")]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Hub-Signature-256": "right"}, 200),
        ({"X-Hub-Signature-256": "sha256=00"}, 403),
        ({"X-Hub-Signature-256": "\xe9"}, 403),
        ({"X-Gitlab-Token": "key"}, 200),
        ({"X-Gitlab-Token": "other"}, 403),
    ],
)
def test_signatures_of_git_hosts_are_checked(
    client: Client, dns: LuaDns, url: str, secret: str, headers: dict[str, str], status: int
) -> None:
    body = b'{"ref": "refs/heads/main"}'
    right = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    sent = {name: {"right": right, "key": secret}.get(value, value) for name, value in headers.items()}
    assert push(client, secret, body, sent).status == status
    assert len(dns.get("/builds")) == (status == 200)


def test_a_push_needs_a_key_that_may_write(client: Client, alice: Account, dns: LuaDns, url: str) -> None:
    assert push(client, "nothing").json["message"] == "Invalid API Key"
    for scope in ("read", "zone:example.com"):
        assert push(client, credentials.create(alice, "luadns", scope=scope)[1]).status == 403
    assert dns.get("/builds") == []


def test_a_push_without_a_repository_is_a_404(client: Client, dns: LuaDns, secret: str) -> None:
    reply = push(client, secret)
    assert (reply.status, reply.json["message"]) == (404, "Repository not found.")


def test_a_repository_over_ssh_is_read_with_the_deploy_key(dns: LuaDns, tmp_path: Path) -> None:
    root = tmp_path / "ssh"
    root.mkdir()
    with ssh_server(root) as server:
        commit = server.repository("zones", {FILE: A_RECORD})
        assert dns("PUT", "/repository", {"repo_uri": server.url("zones")}).status == 200
        me = dns.get("/users/me")
        assert me["repo_uri"] == server.url("zones")
        assert me["deploy_key"].startswith("ssh-ed25519 ")
        (message,) = messages(built(dns))
        assert message == f"{server.name} does not accept the SSH key: add its public key there."
        server.authorize(me["deploy_key"].strip())
        build = built(dns)
    assert (build["state"], build["commit"]) == ("published", commit)
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]


def test_a_submodule_that_cannot_be_fetched_is_named(
    dns: LuaDns, repository: GitRepository, url: str, tmp_path: Path
) -> None:
    repository.push({FILE: A_RECORD})
    built(dns)
    GitRepository(tmp_path, "other").push({"x.lua": "x ="})
    git(repository.folder, "submodule", "add", "-q", f"file://{tmp_path}/other.git", "templates")
    repository.push({FILE: 'a("www", "192.0.2.2")\n'})
    assert messages(built(dns)) == ["Repositories are fetched over http and https only."]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]


def test_a_large_file_is_a_fault(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: "-" * (1 << 20) + "-"})
    build = built(dns)
    assert build["errors"] == [{"file": FILE, "line": None, "message": "has more than 1048576 bytes"}]
    repository.push({FILE: A_RECORD, "large.bin": "x" * (33 << 20)})
    assert messages(built(dns)) == ["The files of the repository are too large."]
    assert dns.get("/zones") == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file:///etc", "repo_uri must be https://HOST/PATH without a user, or ssh://git@HOST/PATH"),
        ("https://u:p@example.org/x", "repo_uri must be https://HOST/PATH without a user, or ssh://git@HOST/PATH"),
        ("ssh://-x/y", "The address of a repository over SSH must look like ssh://git@example.org/path."),
    ],
)
def test_other_addresses_are_refused(dns: LuaDns, uri: str, message: str) -> None:
    assert_invalid(dns("PUT", "/repository", {"repo_uri": uri}), problem("repo_uri", message))
    assert dns("GET", "/repository").status == 404


def test_a_removed_repository_leaves_the_zones(dns: LuaDns, repository: GitRepository, url: str) -> None:
    repository.push({FILE: A_RECORD})
    built(dns)
    waiting = dns.make("/builds", {})["id"]
    assert dns("DELETE", "/repository").json["repo_uri"] == url
    job_runner.run_due()
    assert messages(dns.get(f"/builds/{waiting}")) == ["The repository was removed."]
    assert records(dns) == [("www.example.com.", "A", "192.0.2.1")]
    assert dns.get("/users/me")["repo_uri"] == ""


def archive(files: dict[str, str]) -> dict[str, str]:
    content = io.BytesIO()
    with ZipFile(content, "w") as written:
        for path, text in files.items():
            written.writestr(path, text)
    return {"file": base64.encodebytes(content.getvalue()).decode()}


def test_an_archive_is_checked_without_a_change(dns: LuaDns) -> None:
    zone = dns.zone()
    dns.record(zone, "www", "A", "192.0.2.9")
    before = stored()
    found = dns.make("/githooks/pre-commit", archive({"a.test.lua": A_RECORD, "README.md": "x"}))
    assert found["status"] == "OK"
    (shown,) = found["zones"]
    assert (shown["zone"], shown["action"], shown["added_count"]) == ("a.test", "create", 4)
    assert shown["added"][-1] == {
        "id": None,
        "name": "www.a.test.",
        "type": "A",
        "content": "192.0.2.1",
        "ttl": 300,
        "external_id": None,
    }
    assert stored() == before


def test_an_archive_of_slow_files_ends_in_time(dns: LuaDns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "CHECK_SECONDS", 0.2)
    loops = {f"z{number}.test.lua": "while true do end" for number in range(50)}
    reply = dns("POST", "/githooks/pre-commit", archive(loops))
    assert reply.status == 400
    *stopped, late = [each["message"] for each in reply.json["errors"]]
    assert (len(stopped) < 10, set(stopped)) == (True, {"too many instructions"})
    assert late == "was not reached: all zones together may take 0.2 seconds"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (archive({FILE: 'a("x")\nb()', "b.test.bind": "x y"}), None),
        (archive({"../x.lua": ""}), problem("", "The archive has an unsafe path: ../x.lua")),
        ({"file": "AAAA"}, problem("", "The archive is not a zip file that can be read.")),
        ({"file": "!"}, problem("file", "file is not Base64")),
        ({}, problem("file", "Required", "RequiredError")),
    ],
)
def test_a_wrong_archive_is_a_400(dns: LuaDns, body: dict[str, str], expected: dict[str, Any] | None) -> None:
    faults = [
        problem("b.test.bind:1", "expected '<type>'") if expected is None else expected,
        *([problem(f"{FILE}:1", "a: ip is missing")] if expected is None else []),
    ]
    reply = dns("POST", "/githooks/pre-commit", body)
    if expected is None:
        assert [each["fieldNames"] for each in reply.json["errors"]] == [["b.test.bind:1"], [f"{FILE}:1"]]
        assert reply.json["errors"][1] == faults[1]
    else:
        assert_invalid(reply, *faults)
    assert reply.status == 400


def test_the_templates_are_listed(dns: LuaDns) -> None:
    listed = dns.get("/templates")
    assert [template["id"] for template in listed] == [1, 2, 3, 4, 5]
    assert listed[2] == {
        "id": 3,
        "name": "github_pages",
        "title": "A site at GitHub Pages",
        "parameters": ["user"],
    }


def test_builds_of_others_are_unknown(dns: LuaDns, bob: Account, client: Client, url: str) -> None:
    number = dns.make("/builds", {})["id"]
    other = key_for(client, bob)
    assert other("GET", f"/builds/{number}").json["message"] == "Build not found."
    assert other("POST", f"/builds/{number}/retry", {}).status == 404
