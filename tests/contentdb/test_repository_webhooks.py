"""Webhooks of GitHub, GitLab, Gitea and Forgejo, with the payloads that their documentation shows."""

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine

from chalicelib import settings
from chalicelib.contentdb.automation import hook_tokens
from chalicelib.contentdb.automation.repositories import address_of
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.tables import HookToken
from chalicelib.core import job_runner
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account, Credential
from tests import git_server
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, refusal, token
from tests.contentdb.files import MOD
from tests.worlds import both_worlds

SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
MODS = "/api/packages/Alice/mymod"
WRONG = "Invalid authentication, couldn't validate API token"
NOTHING = {
    "success": False,
    "message": "No release made. Either the release already exists or the event was filtered based on the branch",
}
Send = Callable[..., Reply]


@pytest.fixture(autouse=True)
def _package(alice: Account) -> None:
    draft("Alice/mymod", repo="https://github.com/Codertocat/Hello-World")


@pytest.fixture
def secret(client: Client, bearer: dict[str, str]) -> str:
    """A token that Alice has made for webhooks of her package."""
    reply = client.post(f"{MODS}/webhook-tokens/", headers=bearer)
    assert reply.status == 200, reply.body
    return str(reply.json["token"])


def releases(client: Client) -> list[tuple[Any, ...]]:
    """(name, title, commit, state) of each release, newest first."""
    found = client.get(f"{MODS}/releases/").json
    return [tuple(each[name] for name in ("name", "title", "commit", "state")) for each in found]


def push(**more: Any) -> dict[str, Any]:
    """GitHub's payload of a push, without fields that no receiver reads."""
    return {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": SHA,
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": "https://github.com/Codertocat/Hello-World/compare/main",
        "commits": [{"id": SHA, "message": "Update README.md", "added": [], "modified": ["README.md"]}],
        "repository": {
            "id": 186853002,
            "name": "Hello-World",
            "full_name": "Codertocat/Hello-World",
            "html_url": "https://github.com/Codertocat/Hello-World",
            "clone_url": "https://github.com/Codertocat/Hello-World.git",
            "ssh_url": "git@github.com:Codertocat/Hello-World.git",
        },
        "pusher": {"name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com"},
        **more,
    }


def tag(name: str = "v1.2") -> dict[str, Any]:
    return {**push(), "ref": name, "ref_type": "tag", "master_branch": "main", "after": None}


def gitea(**more: Any) -> dict[str, Any]:
    """Gitea's payload of a push."""
    return {
        "ref": "refs/heads/main",
        "before": "28e1879d029cb852e4844d9c718537df08844e03",
        "after": SHA,
        "compare_url": "https://codeberg.org/gitea/webhooks/compare/28e1879...6113728",
        "commits": [],
        "repository": {
            "id": 140,
            "name": "webhooks",
            "full_name": "gitea/webhooks",
            "html_url": "https://codeberg.org/gitea/webhooks",
            "ssh_url": "ssh://git@codeberg.org/gitea/webhooks.git",
            "clone_url": "https://codeberg.org/gitea/webhooks.git",
            "default_branch": "main",
        },
        "pusher": {"id": 1, "login": "gitea"},
        **more,
    }


def gitlab(**more: Any) -> dict[str, Any]:
    """GitLab's payload of a push."""
    return {
        "object_kind": "push",
        "event_name": "push",
        "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
        "after": SHA,
        "ref": "refs/heads/master",
        "checkout_sha": SHA,
        "user_id": 4,
        "project_id": 15,
        "project": {
            "id": 15,
            "name": "Diaspora",
            "web_url": "https://gitlab.com/mike/diaspora",
            "git_ssh_url": "git@gitlab.com:mike/diaspora.git",
            "git_http_url": "https://gitlab.com/mike/diaspora.git",
            "path_with_namespace": "mike/diaspora",
        },
        "commits": [],
        "total_commits_count": 4,
        **more,
    }


def sign(secret: str, body: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def send(
    client: Client, payload: Any, secret: str, event: str = "push", algorithm: str = "sha256", host: str = "github"
) -> Reply:
    """Send a payload as GitHub does, signed with SHA-1 or SHA-256."""
    body = json.dumps(payload).encode()
    name = "X-Hub-Signature" if algorithm == "sha1" else "X-Hub-Signature-256"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-GitHub-Event": event,
        name: f"{algorithm}={sign(secret, body, algorithm)}",
    }
    return client.post(f"/{host}/webhook/", body=body, headers=headers)


def send_gitlab(client: Client, payload: Any, secret: str) -> Reply:
    headers = {"Content-Type": "application/json", "X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret}
    return client.post("/gitlab/webhook/", body=json.dumps(payload).encode(), headers=headers)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@time_machine.travel("2026-12-01T10:00:00Z", tick=False)
def test_a_push_to_github_makes_a_release(client: Client, secret: str, algorithm: str) -> None:
    reply = send(client, push(), secret, algorithm=algorithm)
    assert (reply.status, reply.json["success"]) == (200, True)
    assert reply.json["task"] == reply.json["release"]["task"]
    assert reply.json["release"]["title"] == "2026-12-01 61137"
    assert releases(client) == [("2026-12-01 61137", "2026-12-01 61137", SHA, "PROCESSING")]


def test_a_tag_makes_a_release_with_its_name(client: Client, secret: str) -> None:
    assert send(client, tag(), secret, "create").json["release"]["title"] == "v1.2"
    assert send(client, tag(), secret, "create").json == NOTHING
    assert releases(client) == [("v1.2", "v1.2", None, "PROCESSING")]


def test_a_form_is_accepted_because_it_is_githubs_default(client: Client, secret: str) -> None:
    body = urlencode({"payload": json.dumps(push())}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded", "X-GitHub-Event": "push"}
    signature = {"X-Hub-Signature-256": f"sha256={sign(secret, body)}"}
    assert client.post("/github/webhook/", body=body, headers={**kind, **signature}).json["success"] is True


def test_a_ping_is_answered(client: Client, secret: str) -> None:
    reply = send(client, {"zen": "Keep it simple.", "hook_id": 1, **push()}, secret, "ping")
    assert (reply.status, reply.json) == (200, {"success": True, "message": "Ping successful"})
    assert releases(client) == []


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("push", push(ref="refs/heads/work")),
        ("push", push(ref="refs/tags/v1")),
        ("push", push(after="0" * 40, deleted=True)),
        ("create", {**tag("work"), "ref_type": "branch"}),
    ],
)
def test_other_branches_and_deletions_make_no_release(
    client: Client, secret: str, event: str, payload: dict[str, Any]
) -> None:
    reply = send(client, payload, secret, event)
    assert (reply.status, reply.json, releases(client)) == (200, NOTHING, [])


@pytest.mark.parametrize("event", ["issues", "delete", ""])
def test_other_events_are_refused(client: Client, secret: str, event: str) -> None:
    reply = send(client, push(), secret, event)
    error = f"Unsupported event: '{event}'. Only 'push', 'create:tag', and 'ping' are supported."
    assert (reply.status, reply.json) == (400, refusal(error))


def test_a_replayed_push_makes_no_second_release(client: Client, secret: str) -> None:
    with time_machine.travel("2026-12-01T10:00:00Z"):
        assert send(client, push(), secret).json["success"] is True
    with time_machine.travel("2026-12-03T10:00:00Z"):
        assert send(client, push(), secret).json == NOTHING
    assert len(releases(client)) == 1


@pytest.mark.parametrize("header", ["X-Gitea", "X-Forgejo"])
@pytest.mark.parametrize("path", ["github", "gitea", "forgejo"])
def test_gitea_and_forgejo_make_releases(client: Client, secret: str, header: str, path: str) -> None:
    change("Alice/mymod", repo="https://codeberg.org/gitea/webhooks.git")
    body = json.dumps(gitea()).encode()
    headers = {f"{header}-Event": "push", f"{header}-Signature": sign(secret, body), "X-GitHub-Event": "push"}
    reply = client.post(f"/{path}/webhook/", body=body, headers=headers)
    assert (reply.status, reply.json["success"]) == (200, True)
    created = {**gitea(), "sha": SHA, "ref": "v1", "ref_type": "tag"}
    body = json.dumps(created).encode()
    headers = {f"{header}-Event": "create", f"{header}-Signature": sign(secret, body)}
    assert client.post(f"/{path}/webhook/", body=body, headers=headers).json == NOTHING  # the commit has a release


def test_a_push_and_a_tag_of_gitlab_make_releases(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/mymod", repo="https://gitlab.com/mike/diaspora")
    secret = bearer["Authorization"].removeprefix("Bearer ")
    assert send_gitlab(client, gitlab(), secret).json["success"] is True
    assert send_gitlab(client, gitlab(), secret).json == NOTHING
    other = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7"
    pushed = gitlab(object_kind="tag_push", event_name="tag_push", ref="refs/tags/v1.0.0", checkout_sha=other)
    assert send_gitlab(client, pushed, secret).json["success"] is True
    deleted = gitlab(after="0" * 40, checkout_sha=None)
    assert send_gitlab(client, deleted, secret).json == NOTHING
    assert releases(client)[0] == ("v1.0.0", "v1.0.0", other, "PROCESSING")
    reply = send_gitlab(client, gitlab(event_name="note"), secret)
    assert (reply.status, reply.json["error"][:25]) == (400, "Unsupported event: 'note'")


def test_a_forged_signature_is_refused(client: Client, secret: str) -> None:
    for wrong in ("x" * 40, secret[:-1], ""):
        reply = send(client, push(), wrong)
        assert (reply.status, reply.json) == (401, refusal(WRONG))
    body = json.dumps(push()).encode()
    for signature, status, error in (
        ("", 403, "Expected payload signature"),
        ("md5=00", 403, "Expected SHA1 or SHA256 payload signature"),
        ("sha256=", 401, WRONG),
        ("sha256=ü", 401, WRONG),
        (f"sha1={sign(secret, body)}", 401, WRONG),
    ):
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature": signature}
        reply = client.post("/github/webhook/", body=body, headers=headers)
        assert (reply.status, reply.json) == (status, refusal(error))
    assert releases(client) == []


def test_a_wrong_token_of_gitlab_is_refused(client: Client, bob: Account, bearer: dict[str, str]) -> None:
    change("Alice/mymod", repo="https://gitlab.com/mike/diaspora")
    stranger = token(bob)["Authorization"].removeprefix("Bearer ")
    narrow = credentials.create(accounts.named("Alice"), "contentdb", scope="package:Alice/doors")[1]
    for wrong in ("x" * 40, stranger, narrow):
        reply = send_gitlab(client, gitlab(), wrong)
        assert (reply.status, reply.json) == (403, refusal(WRONG))
    reply = send_gitlab(client, gitlab(), "")
    assert (reply.status, reply.json) == (403, refusal("Token required"))


def test_tokens_that_are_not_made_for_webhooks_sign_nothing(client: Client, bearer: dict[str, str]) -> None:
    ordinary = bearer["Authorization"].removeprefix("Bearer ")
    reply = send(client, push(), ordinary)
    assert (reply.status, reply.json) == (401, refusal(WRONG))


def test_a_revoked_token_signs_nothing(client: Client, secret: str) -> None:
    found = Credential.find(f"credential#{credentials.hash_of(secret)}", "credential")
    assert found
    credentials.revoke(found)
    reply = send(client, push(), secret)
    assert (reply.status, reply.json) == (401, refusal(WRONG))


def test_a_token_of_one_package_does_not_release_another(client: Client, bearer: dict[str, str], secret: str) -> None:
    draft("Alice/other", repo="https://github.com/codertocat/other")
    payload = push(repository={"full_name": "codertocat/other"})
    assert send(client, payload, secret).status == 401


def test_a_repository_that_moved_is_named(client: Client, secret: str) -> None:
    moved = push(repository={"full_name": "new-owner/Hello-World"})
    reply = send(client, moved, secret)
    error = (
        "Could not find package, did you set the VCS repo in CDB correctly? Expected github.com/new-owner/hello-world"
    )
    assert (reply.status, reply.json) == (400, refusal(error))
    change("Alice/mymod", repo="https://github.com/New-Owner/Hello-World.git")
    assert send(client, moved, secret).json["success"] is True


def test_the_first_of_several_packages_gets_the_release(client: Client, bearer: dict[str, str], secret: str) -> None:
    draft("Alice/second", repo="git@github.com:codertocat/hello-world.git")
    other = client.post("/api/packages/Alice/second/webhook-tokens/", headers=bearer).json["token"]
    assert send(client, push(), secret).json["success"] is True
    assert len(releases(client)) == 1
    assert client.get("/api/packages/Alice/second/releases/").json == []
    assert send(client, push(), other).json["success"] is True  # it signs for the second one only
    assert len(client.get("/api/packages/Alice/second/releases/").json) == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "The body is not JSON."),
        (b"[]", "Expected a JSON object with a repository"),
        (b"{}", "Expected a JSON object with a repository"),
        (b'{"repository": {}}', "The payload has no full_name"),
        (b'{"repository": {"full_name": 5}}', "The payload has no full_name"),
        (b'{"repository": {"full_name": "Codertocat/Hello-World"}}', "The payload has no ref"),
        (b'{"repository": {"full_name": "Codertocat/Hello-World"}, "ref": "x"}', "The payload has no after"),
        (b"[" * 100_000, "The body is not JSON."),
    ],
)
def test_an_incomplete_payload_is_refused(client: Client, secret: str, body: bytes, error: str) -> None:
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={sign(secret, body)}"}
    reply = client.post("/github/webhook/", body=body, headers=headers)
    assert (reply.status, reply.json["error"]) == (400, error)


def test_a_commit_that_is_none_is_refused(client: Client, secret: str) -> None:
    reply = send(client, push(after="main; rm -rf /"), secret)
    assert (reply.status, releases(client)) == (400, [])


def test_a_large_payload_is_accepted_and_a_huge_one_refused(client: Client, secret: str) -> None:
    commits = [{"id": SHA, "message": "x" * 1000, "added": ["a"]}] * 2000
    assert send(client, push(commits=commits), secret).json["success"] is True
    assert send(client, push(after="1" * 40, message="x" * 5_000_000), secret).status == 413
    assert send(client, push(after="2" * 40, commits=[1] * 300_000), secret).status == 400


def test_a_long_name_of_a_tag_is_cut(client: Client, secret: str) -> None:
    assert send(client, tag("v" * 200), secret, "create").json["release"]["title"] == "v" * 100
    assert send(client, tag("v" * 200), secret, "create").json == NOTHING


def test_a_webhook_costs_six_calls(client: Client, secret: str, calls: list[str]) -> None:
    send(client, push(), secret)
    calls.clear()
    assert send(client, push(after="1" * 40), secret).json["success"] is True
    aws = [call for call in calls if call != "SendMessage"]  # to wake the runner of jobs
    assert aws == ["Query", "Query", "UpdateItem", "GetItem", "UpdateItem", "TransactWriteItems"]


def test_forged_hooks_cost_two_calls(client: Client, secret: str, calls: list[str]) -> None:
    send(client, push(), "wrong")
    calls.clear()
    send(client, push(), "wrong")
    assert calls == ["Query", "Query"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://github.com/Owner/Repo", "github.com/owner/repo"),
        ("http://www.github.com/owner/repo.git/", "github.com/owner/repo"),
        ("https://github.com/owner/repo/tree/main/mod", "github.com/owner/repo"),
        ("git@github.com:owner/repo.git", "github.com/owner/repo"),
        ("ssh://git@codeberg.org:22/owner/repo.git", "codeberg.org/owner/repo"),
        ("https://gitlab.com/group/sub/repo", "gitlab.com/group/sub/repo"),
        ("https://user@git.example.org:3000/a/b", "git.example.org:3000/a/b"),
        ("https://github.com", None),
        ("https://[::1/a/b", None),
        ("", None),
    ],
)
def test_repositories_are_compared_however_they_are_written(url: str, address: str | None) -> None:
    assert address_of(url) == address


def test_the_token_is_shown_once_and_only_a_sealed_copy_is_stored(client: Client, bearer: dict[str, str]) -> None:
    reply = client.post(f"{MODS}/webhook-tokens/", headers=bearer)
    secret = reply.json["token"]
    base = "http://moonbase.test"
    urls = {host: f"{base}/{host}/webhook/" for host in ("github", "gitlab", "gitea", "forgejo")}
    assert reply.json == {"success": True, "id": reply.json["id"], "token": secret, "urls": urls}
    (stored,) = HookToken.query("package#1", HookToken.sk.startswith("hook-token#"))
    assert secret not in str(stored.serialize())
    found = Credential.find(f"credential#{credentials.hash_of(secret)}", "credential")
    assert found
    assert (found.scope, found.comment, found.ends_at) == ("package:Alice/mymod", "Webhook of Alice/mymod", None)
    assert client.get("/api/whoami/", headers={"Authorization": f"Bearer {secret}"}).json["username"] == "Alice"


def test_others_make_no_token(client: Client, bob: Account, alice: Account) -> None:
    for headers, error in (
        (token(bob), "API token does not have access to the package"),
        (token(alice, scope="read"), "This key may not do that: its scope is read."),
        (token(alice, scope="package:Alice/doors"), "API token does not have access to the package"),
    ):
        reply = client.post(f"{MODS}/webhook-tokens/", headers=headers)
        assert (reply.status, reply.json) == (403, refusal(error))
    assert client.post(f"{MODS}/webhook-tokens/").status == 401


def test_a_token_expires_with_the_one_that_made_it(client: Client, alice: Account) -> None:
    headers = token(alice, ends_after=timedelta(days=3))
    made = client.post(f"{MODS}/webhook-tokens/", headers=headers).json["id"]
    ends = credentials.find(made).ends_at
    assert ends
    assert timedelta(days=2) < ends - datetime.now(UTC) <= timedelta(days=3)


def test_a_suspended_account_releases_nothing(client: Client, secret: str, alice: Account) -> None:
    accounts.suspend(alice)
    assert send(client, push(), secret).status == 401


@both_worlds
def test_a_package_has_ten_tokens_and_forgets_revoked_ones(client: Client, bearer: dict[str, str]) -> None:
    made = [client.post(f"{MODS}/webhook-tokens/", headers=bearer).json["id"] for _ in range(hook_tokens.MOST)]
    full = client.post(f"{MODS}/webhook-tokens/", headers=bearer)
    error = "A package has at most 10 tokens for webhooks: revoke unused ones first"
    assert (full.status, full.json) == (409, refusal(error))
    credentials.revoke(credentials.find(made[0]))
    assert client.post(f"{MODS}/webhook-tokens/", headers=bearer).status == 200
    assert len(load_parts(1).hook_tokens) == hook_tokens.MOST


@both_worlds
def test_a_push_is_fetched_checked_and_published(client: Client, secret: str, alice: Account) -> None:
    repo = git_server.repository()
    sha = git_server.commit(repo, {path: content.encode() for path, content in MOD.items()})
    with settings.override(outbound_networks=("127.0.0.1/32",)), git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod")
        repository = {"full_name": "mod", "html_url": f"{url}/mod"}
        made = send(client, push(after=sha, repository=repository), secret).json["release"]
        job_runner.run_due()
        release = client.get(f"{MODS}/releases/{made['id']}/").json
    assert (release["state"], release["commit"], release["error"]) == ("APPROVED", sha, None)
