"""The detection of updates: daily checks of a package's repository, which make releases or notify."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from dulwich.repo import MemoryRepo

from chalicelib import settings
from chalicelib.contentdb.automation import updates
from chalicelib.contentdb.packages import states
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.tables import UpdateDue
from chalicelib.core import job_runner, jobs
from chalicelib.core.identity import accounts
from chalicelib.core.notifications import inbox
from chalicelib.core.tables import Account
from tests import git_server
from tests.client import Client, Reply
from tests.contentdb.builders import change, published, refusal, token
from tests.contentdb.files import MOD
from tests.worlds import both_worlds

MODS = "/api/packages/Alice/mymod"
PATH = f"{MODS}/update-detection/"
FILES = {path: content.encode() for path, content in MOD.items()}
START = datetime(2026, 12, 1, 10, tzinfo=UTC)


@pytest.fixture
def repo() -> MemoryRepo:
    return git_server.repository()


@pytest.fixture(autouse=True)
def _package(alice: Account, bob: Account, repo: MemoryRepo) -> Iterator[None]:
    """An approved package of Alice that Bob maintains too, and its repository with one commit."""
    published("Alice/mymod", title="My Mod")
    git_server.commit(repo, FILES)
    with settings.override(outbound_networks=("127.0.0.1/32",)), git_server.serving({"mod": repo}) as url:
        change("Alice/mymod", repo=f"{url}/mod", maintainers=["bob"])
        yield


def configure(client: Client, headers: dict[str, str], **wanted: Any) -> Reply:
    return client.request("PUT", PATH, headers=headers, json=wanted)


def run() -> None:
    """Run all jobs that are due, also those that follow from them."""
    job_runner.enqueue_repeats()
    while job_runner.run_due():
        pass


def on_day(number: int) -> None:
    """Run the jobs of a day after the first one."""
    with time_machine.travel(START + timedelta(days=number, hours=1), tick=False):
        job_runner.reset_schedule()
        run()
    with time_machine.travel(START + timedelta(days=number, hours=2), tick=False):
        run()


def newest(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{MODS}/releases/").json[0]
    return {name: found[name] for name in ("name", "title", "commit", "state", "release_notes")}


def subjects(account: Account) -> list[str]:
    return [each.subject for each in inbox.entries(account) if each.about == "package.update"]


def test_a_new_commit_makes_a_release_once_a_day(
    client: Client, bearer: dict[str, str], repo: MemoryRepo, alice: Account
) -> None:
    with time_machine.travel(START, tick=False):
        reply = configure(client, bearer, trigger="COMMIT")
        assert (reply.status, reply.json["updates"]["last_commit"]) == (200, None)
        run()
    assert len(client.get(f"{MODS}/releases/").json) == 1  # the first check only remembers
    sha = git_server.commit(repo, {**FILES, "more.lua": b""}, "Add more")
    for day in (1, 2):
        on_day(day)
    assert len(client.get(f"{MODS}/releases/").json) == 2
    made = newest(client)
    assert (made["name"], made["title"], made["commit"], made["state"]) == (
        "2026-12-02",
        "2026-12-02",
        sha,
        "APPROVED",
    )
    assert subjects(alice) == []
    shown = client.get(PATH, headers=bearer).json
    assert (shown["last_commit"], shown["failures"], shown["error"]) == (sha, 0, None)
    assert shown["last_checked_at"].startswith("2026-12-03T")


@both_worlds
def test_a_new_tag_makes_a_release_with_its_message(client: Client, bearer: dict[str, str], repo: MemoryRepo) -> None:
    git_server.tag(repo, "v1", git_server.commit(repo, FILES))
    with time_machine.travel(START, tick=False):
        assert configure(client, bearer).status == 200  # tags are the default
        run()
    assert len(client.get(f"{MODS}/releases/").json) == 1
    git_server.commit(repo, {**FILES, "a.lua": b""})
    on_day(1)  # a commit without a tag
    assert len(client.get(f"{MODS}/releases/").json) == 1
    sha = git_server.commit(repo, {**FILES, "b.lua": b""})
    git_server.tag(repo, "v2", sha)
    on_day(2)
    expected = {"name": "v2", "title": "v2", "commit": sha, "state": "APPROVED", "release_notes": "A tag"}
    assert newest(client) == expected
    shown = client.get(PATH, headers=bearer).json
    assert (shown["last_commit"], shown["last_tag"]) == (sha, "v2")


def test_a_branch_is_followed(client: Client, bearer: dict[str, str], repo: MemoryRepo) -> None:
    git_server.commit(repo, FILES, branch="stable")
    with time_machine.travel(START, tick=False):
        configure(client, bearer, trigger="commit", ref="stable")
        run()
    git_server.commit(repo, {**FILES, "a.lua": b""})
    on_day(1)
    assert len(client.get(f"{MODS}/releases/").json) == 1
    sha = git_server.commit(repo, {**FILES, "b.lua": b""}, branch="stable")
    on_day(2)
    assert newest(client)["commit"] == sha


@both_worlds
def test_the_maintainers_are_notified_once_until_there_is_a_release(
    client: Client, bearer: dict[str, str], repo: MemoryRepo, alice: Account, bob: Account
) -> None:
    with time_machine.travel(START, tick=False):
        configure(client, bearer, trigger="COMMIT", make_release=False)
        run()
    sha = git_server.commit(repo, {**FILES, "a.lua": b""})
    for day in (1, 2):
        on_day(day)
    text = f"My Mod: New commit {sha[:5]} found on the Git repo, is the package outdated?"
    assert (subjects(alice), subjects(bob)) == ([text], [text])
    assert client.get(PATH, headers=bearer).json["outdated_at"].startswith("2026-12-02T")
    assert len(client.get(f"{MODS}/releases/").json) == 1
    body = {"method": "git", "title": "Now", "ref": sha}
    assert client.post(f"{MODS}/releases/new/", headers=bearer, json=body).status == 200
    run()
    shown = client.get(PATH, headers=bearer).json
    assert (shown["outdated_at"], shown["last_commit"]) == (None, sha)


@both_worlds
def test_failures_are_shown_and_make_checks_rarer(client: Client, bearer: dict[str, str], repo: MemoryRepo) -> None:
    with time_machine.travel(START, tick=False):
        configure(client, bearer, trigger="COMMIT", ref="nowhere")
        run()
        shown = client.get(PATH, headers=bearer).json
        assert (shown["failures"], shown["error"]) == (1, "There is no branch nowhere in the repository.")
        assert shown["next_check_at"] == "2026-12-02T10:00:00.000000"
    waits = []
    for _ in range(6):
        before = updates.due_at(1)
        assert before
        with time_machine.travel(before, tick=False):
            job_runner.reset_schedule()
            run()
            after = updates.due_at(1)
        assert after
        waits.append((after - before).days)
    assert waits == [2, 4, 8, 16, 16, 16]
    git_server.commit(repo, FILES, branch="nowhere")
    due = updates.due_at(1)
    assert due
    with time_machine.travel(due, tick=False):
        job_runner.reset_schedule()
        run()
        shown = client.get(PATH, headers=bearer).json
    assert (shown["failures"], shown["error"]) == (0, None)


def test_a_repository_that_moved_away_is_an_error(client: Client, bearer: dict[str, str]) -> None:
    configure(client, bearer)
    change("Alice/mymod", repo=f"{load_parts(1).package.repo}-moved")
    run()
    shown = client.get(PATH, headers=bearer).json
    assert (shown["failures"], shown["error"]) == (
        1,
        "There is no Git repository at the repository's address.",
    )


def test_a_commit_with_a_release_makes_none(client: Client, bearer: dict[str, str], repo: MemoryRepo) -> None:
    with time_machine.travel(START, tick=False):
        configure(client, bearer, trigger="COMMIT")
        run()
        sha = git_server.commit(repo, {**FILES, "a.lua": b""})
        client.post(f"{MODS}/releases/new/", headers=bearer, json={"method": "git", "title": "Mine", "ref": sha})
        run()
    on_day(1)
    assert [each["title"] for each in client.get(f"{MODS}/releases/").json] == ["Mine", "1.1"]


def test_drafts_are_not_checked_until_they_are_approved(client: Client, bearer: dict[str, str]) -> None:
    states.apply("unapprove", "Alice", "mymod")
    with time_machine.travel(START, tick=False):
        configure(client, bearer)
        run()
        assert client.get(PATH, headers=bearer).json["last_checked_at"] is None
    states.apply("approve", "Alice", "mymod")
    on_day(1)
    assert client.get(PATH, headers=bearer).json["last_checked_at"].startswith("2026-12-02T")


def test_a_suspended_account_releases_nothing(
    client: Client, bearer: dict[str, str], repo: MemoryRepo, bob: Account
) -> None:
    with time_machine.travel(START, tick=False):
        configure(client, token(bob), trigger="COMMIT")
        run()
    accounts.suspend(bob)
    git_server.commit(repo, {**FILES, "a.lua": b""})
    on_day(1)
    assert len(client.get(f"{MODS}/releases/").json) == 1
    shown = client.get(PATH, headers=bearer).json
    assert (shown["failures"], "suspended" in shown["error"]) == (1, True)


def test_the_settings_are_read_changed_and_removed(client: Client, bearer: dict[str, str]) -> None:
    missing = client.get(PATH, headers=bearer)
    assert (missing.status, missing.json) == (404, refusal("The package has no update detection"))
    with time_machine.travel(START, tick=False):
        made = configure(client, bearer, trigger="commit", ref="main", make_release=False).json
    expected = {
        "trigger": "COMMIT",
        "ref": "main",
        "make_release": False,
        "last_commit": None,
        "last_tag": None,
        "outdated_at": None,
        "last_checked_at": None,
        "next_check_at": "2026-12-02T10:00:00.000000",
        "failures": 0,
        "error": None,
    }
    assert made == {"success": True, "updates": expected}
    assert client.get(PATH, headers=bearer).json == expected
    assert client.request("DELETE", PATH, headers=bearer).json == {"success": True}
    assert client.get(PATH, headers=bearer).status == 404
    assert client.request("DELETE", PATH, headers=bearer).status == 404
    run()  # the check that was enqueued finds nothing to do
    assert list(UpdateDue.query(updates.DUE)) == []


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"trigger": "PUSH"}, "trigger must be one of TAG, COMMIT"),
        ({"trigger": 5}, "trigger must be a str"),
        ({"ref": "main"}, "ref is a branch, for the trigger COMMIT only"),
        ({"trigger": "COMMIT", "ref": 5}, "ref must be a str"),
        ({"trigger": "COMMIT", "ref": "-x"}, "ref must be the name of a branch"),
        ({"trigger": "COMMIT", "ref": "a b"}, "ref must be the name of a branch"),
        ({"trigger": "COMMIT", "ref": "x" * 256}, "ref must be the name of a branch"),
        ({"make_release": "yes"}, "make_release must be a bool"),
    ],
)
def test_invalid_settings_are_refused(
    client: Client, bearer: dict[str, str], wanted: dict[str, Any], error: str
) -> None:
    reply = configure(client, bearer, **wanted)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert jobs.pending() == [] or all(job.name != updates.CHECK for job in jobs.pending())


def test_a_package_without_a_repository_is_refused(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/mymod", repo=None)
    reply = configure(client, bearer)
    assert (reply.status, reply.json) == (400, refusal("The package has no repository: set its repo first"))


def test_strangers_cannot_read_or_change_the_settings(client: Client) -> None:
    accounts.create("carol", "carol@example.org")
    stranger = token(accounts.named("carol"))
    assert configure(client, stranger).status == 403
    assert client.get(PATH, headers=stranger).status == 403
    assert client.request("DELETE", PATH, headers=stranger).status == 403
    assert client.get(PATH).status == 401
