"""Releases from a package's Git repository, with the API and the job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core.outbound import ssh_keys
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests import git_server
from tests.client import Client
from tests.contentdb.builders import change, draft
from tests.contentdb.files import MOD, checked, fetched
from tests.contentdb.test_release_check import stored_blobs
from tests.ssh_server import ssh_server

NEW = "/api/packages/Alice/mymod/releases/new/"
FILES = {path: content.encode() for path, content in MOD.items()}


@pytest.fixture(autouse=True)
def _draft(alice: Account) -> Iterator[None]:
    draft("Alice/mymod")
    with settings.override(outbound_networks=("127.0.0.1/32",)):
        yield


def create(client: Client, bearer: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Create a release and run its check; return the release with the `task`."""
    reply = client.post(NEW, headers=bearer, json={"method": "git", "title": "From Git", **fields})
    assert reply.json["release"]["url"] is None
    task = checked(client, reply)
    path = f"/api/packages/Alice/mymod/releases/{reply.json['release']['id']}/"
    return {**client.get(path).json, "task": task}


def test_the_example_of_the_api_page_creates_a_release(client: Client, bearer: dict[str, str]) -> None:
    repo = git_server.repository()
    sha = git_server.commit(repo, FILES)
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        made = create(client, bearer, name="1.2.3", title="My Release", ref="master", release_notes="some\nnotes\n")
    assert made["task"]["status"] == "SUCCESS"
    assert [made[name] for name in ("name", "title", "commit", "release_notes")] == [
        "1.2.3",
        "My Release",
        sha,
        "some\nnotes",
    ]
    content = fetched(client, "/packages/Alice/mymod/download/")
    assert (made["size"], made["url"]) == (len(content), made["task"]["result"])


@pytest.mark.parametrize("fields", [{}, {"ref": None}, {"ref": ""}])
def test_without_a_ref_and_notes_the_notes_come_from_the_default_branch(
    client: Client, bearer: dict[str, str], fields: dict[str, Any]
) -> None:
    repo = git_server.repository()
    git_server.commit(repo, FILES, "Begin")
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        assert create(client, bearer, **fields)["release_notes"] is None
        git_server.commit(repo, {**FILES, "more.lua": b""}, "Add more")
        git_server.commit(repo, {**FILES, "most.lua": b""}, "Add most")
        assert create(client, bearer, **fields)["release_notes"] == "- Add most\n- Add more"


def test_a_ref_can_be_a_short_hash_of_an_older_commit(client: Client, bearer: dict[str, str]) -> None:
    repo = git_server.repository()
    git_server.commit(repo, {**FILES, "first.lua": b""}, "Begin")
    older = git_server.commit(repo, {**FILES, "more.lua": b""}, "Add more")
    git_server.commit(repo, FILES, "Remove more")
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        made = create(client, bearer, ref=older[:8])
        assert (made["task"]["status"], made["commit"]) == ("SUCCESS", older)
        unknown = create(client, bearer, title="2", ref="0123abc")
    assert unknown["error"] == "There is no branch or tag 0123abc in the repository."


def test_a_branch_is_preferred_to_a_short_hash(client: Client, bearer: dict[str, str]) -> None:
    repo = git_server.repository()
    older = git_server.commit(repo, FILES, "Begin")
    newer = git_server.commit(repo, {**FILES, "more.lua": b""}, "Add more", branch=older[:8])
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        assert create(client, bearer, ref=older[:8])["commit"] == newer


def test_a_git_error_fails_the_release_and_leaves_no_blob(client: Client, bearer: dict[str, str]) -> None:
    repo = git_server.repository()
    git_server.commit(repo, FILES)
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        made = create(client, bearer, ref="no-such")
    assert (made["task"]["status"], made["url"]) == ("FAILURE", None)
    assert made["task"]["error"] == "There is no branch or tag no-such in the repository."
    assert stored_blobs() == []


def test_invalid_content_fails_the_release_and_leaves_no_blob(client: Client, bearer: dict[str, str]) -> None:
    repo = git_server.repository()
    git_server.commit(repo, {"readme.md": b""})
    with git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        made = create(client, bearer)
    assert made["task"]["error"] == "Expected a mod or modpack, found unknown"
    assert stored_blobs() == []


def test_a_repository_at_a_private_address_is_not_fetched(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/mymod", repo="http://169.254.169.254/latest")
    with settings.override(outbound_networks=()):
        assert create(client, bearer)["task"]["error"] == "169.254.169.254 is not a public address."


def test_a_private_repository_is_read_with_the_account_s_ssh_key(
    client: Client, bearer: dict[str, str], alice: Account, tmp_path: Path
) -> None:
    root = tmp_path / "repositories"
    root.mkdir()
    with ssh_server(root) as server:
        sha = server.repository("mod", MOD)
        change("Alice/mymod", repo=server.url("mod"))
        assert create(client, bearer)["task"]["error"].startswith("A repository over SSH needs an SSH key")
        writes = Transaction()
        key = ssh_keys.create(writes, ssh_keys.of_account(int(alice.id)))
        writes.commit()
        server.authorize(key.public)
        made = create(client, bearer)
    assert (made["task"]["status"], made["commit"]) == ("SUCCESS", sha)


@pytest.mark.parametrize("repo", ["git@github.com:alice/mod.git", "ssh://git@example.org:2222/a"])
def test_a_repository_can_be_an_address_over_ssh(client: Client, bearer: dict[str, str], repo: str) -> None:
    reply = client.request("PUT", "/api/packages/Alice/mymod/", headers=bearer, json={"repo": repo})
    assert (reply.status, client.get("/api/packages/Alice/mymod/").json["repo"]) == (200, repo)
