"""`moonbase contentdb`: packages from the command line."""

import json
from pathlib import Path

import pytest
import requests

from tests.commands.test_cli import run
from tests.contentdb.files import picture
from tests.servers import moonbase, serving


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli") / "data"
    for name in ("Alice", "bob"):
        moonbase(directory, "user", "create", name, "--email", f"{name}@example.org")
    made = create(directory, "Alice/lamps")
    assert made == {"id": 1, "package": "Alice/lamps", "state": "WIP"}
    return directory


def test_the_queue_and_its_decisions_have_commands(reviewed: Path) -> None:
    (waiting,) = moonbase(reviewed, "queue")
    assert {name: waiting[name] for name in ("service", "type", "title", "author")} == {
        "service": "Luanti ContentDB",
        "type": "review",
        "title": "Alice/doors: A title",
        "author": "spammer",
    }
    number = waiting["path"].split("/")[-2]
    assert moonbase(reviewed, "contentdb", "review", "refuse", number, "--reason", "No links.") is None
    assert moonbase(reviewed, "queue") == []
    refused = moonbase(reviewed, "contentdb", "package", "request-changes", "Alice/doors", "--reason", "Too loud.")
    assert refused["state"] == "CHANGES_NEEDED"
    comments = moonbase(reviewed, "contentdb", "comments", "Alice/doors")
    assert [(one["author"], one["step"], one["comment"]) for one in comments] == [
        (None, "request-changes", "Too loud.")
    ]


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """An installation with three reviews, one of them pending."""
    directory = tmp_path / "data"
    tokens = {}
    for name, rank in (("Alice", "MEMBER"), ("bob", "MEMBER"), ("spammer", "NEW_MEMBER")):
        moonbase(directory, "user", "create", name, "--email", f"{name}@example.org", "--rank", rank)
        tokens[name] = moonbase(directory, "key", "create", name, "--service", "contentdb")["key"]
    for name in ("lamps", "doors"):
        create(directory, f"Alice/{name}")
        moonbase(directory, "contentdb", "package", "approve", f"Alice/{name}")
    with serving(directory) as server:
        for name, package, comment in (
            ("spammer", "lamps", "Buy things."),
            ("bob", "lamps", "Good lamps."),
            ("spammer", "doors", "See https://spam.example"),
        ):
            answer = requests.put(
                f"{server.url}/api/packages/Alice/{package}/reviews/",
                json={"title": "A title", "comment": comment, "rating": 5},
                headers={"Authorization": f"Bearer {tokens[name]}"},
                timeout=20,
            )
            assert answer.status_code == 200, answer.text
    return directory


def create(data: Path, key: str, *more: str) -> object:
    command = ["package", "create", key, "--type", "MOD", "--title", "Lamps", "--license", "mit", *more]
    return moonbase(data, "contentdb", *command)


def test_a_package_goes_through_its_states(data: Path) -> None:
    for step, state in (
        ("submit", "READY_FOR_REVIEW"),
        ("approve", "APPROVED"),
        ("approve", "APPROVED"),
        ("request-changes", "CHANGES_NEEDED"),
        ("approve", "APPROVED"),
        ("unapprove", "WIP"),
        ("delete", "DELETED"),
        ("restore", "READY_FOR_REVIEW"),
    ):
        done = moonbase(data, "contentdb", "package", step, "Alice/lamps")
        assert (done["package"], done["state"]) == ("Alice/lamps", state)
        assert bool(done["warnings"]) is (step in ("submit", "approve"))


def test_packages_are_listed(data: Path) -> None:
    create(data, "bob/doors", "--media-license", "CC0-1.0", "--short-description", "They open.")
    rows = moonbase(data, "contentdb", "package", "list")
    assert [row["package"] for row in rows] == ["Alice/lamps", "bob/doors"]
    doors = {"package": "bob/doors", "type": "mod", "state": "WIP"}
    assert doors in moonbase(data, "contentdb", "package", "list", "--state", "wip")
    assert doors not in moonbase(data, "contentdb", "package", "list", "--state", "approved")


def test_maintainers_and_aliases_are_set(data: Path) -> None:
    maintained = moonbase(data, "contentdb", "package", "maintainers", "Alice/lamps", "BOB")
    assert maintained == {"package": "Alice/lamps", "maintainers": ["Alice", "bob"]}
    aliased = moonbase(data, "contentdb", "package", "aliases", "Alice/lamps", "bob/lights")
    assert aliased == {"package": "Alice/lamps", "aliases": ["bob/lights"]}


def test_collections_are_set_listed_and_deleted(data: Path) -> None:
    for key in ("ContentDB/featured", "bob/mine"):
        saved = moonbase(data, "contentdb", "collection", "set", key, "Alice/lamps")
        assert saved == {"collection": key, "packages": ["Alice/lamps"]}
    moonbase(data, "contentdb", "collection", "delete", "bob/mine")
    assert moonbase(data, "contentdb", "collection", "list") == [
        {"collection": "ContentDB/featured", "private": False, "packages": 1}
    ]


def test_a_profile_is_shown_and_changed(data: Path) -> None:
    nothing = dict.fromkeys(("display_name", "profile_pic_url", "website_url", "donate_url", "github", "forums"))
    assert moonbase(data, "contentdb", "profile", "bob") == {"username": "bob", **nothing}
    options = ("--display-name", "Bob the Builder", "--github", "bob-builder")
    profile = moonbase(data, "contentdb", "profile", "bob", *options)
    assert profile == {**nothing, "username": "bob", "display_name": "Bob the Builder", "github": "bob-builder"}
    profile = moonbase(data, "contentdb", "profile", "bob", "--github", "")
    assert (profile["display_name"], profile["github"]) == ("Bob the Builder", None)
    done = run(data, "contentdb", "profile", "bob", "--website-url", "javascript:x")
    assert (done.returncode, "must start with http" in done.stderr) == (1, True)


def test_a_members_screenshot_is_approved(reviewed: Path) -> None:
    key = moonbase(reviewed, "key", "create", "Alice", "--service", "contentdb")["key"]
    with serving(reviewed) as server:
        answer = requests.post(
            f"{server.url}/api/packages/Alice/lamps/screenshots/new/",
            data={"title": "A view"},
            files={"file": ("a.png", picture())},
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
    listed = moonbase(reviewed, "contentdb", "screenshot", "list", "Alice/lamps", "--waiting")
    assert [(row["title"], row["approved"]) for row in listed] == [("A view", False)]
    number = listed[0]["id"]
    approved = moonbase(reviewed, "contentdb", "screenshot", "approve", "Alice/lamps", str(number))
    assert approved == {"id": number, "approved": True}
    assert moonbase(reviewed, "contentdb", "screenshot", "list", "Alice/lamps", "--waiting") == []
    failed = run(reviewed, "contentdb", "screenshot", "approve", "Alice/lamps", "99")
    assert (failed.returncode, "Screenshot not found" in failed.stderr) == (1, True)


def test_reviews_are_listed_approved_and_deleted(reviewed: Path) -> None:
    rows = moonbase(reviewed, "contentdb", "review", "list")
    assert [(row["id"], row["package"], row["author"], row["approved"]) for row in rows] == [
        (3, "Alice/doors", "spammer", False),
        (2, "Alice/lamps", "bob", True),
        (1, "Alice/lamps", "spammer", True),
    ]
    assert moonbase(reviewed, "contentdb", "review", "list", "--waiting", "--by", "spammer") == rows[:1]
    assert moonbase(reviewed, "contentdb", "review", "approve", "3") == {"id": 3, "approved": True}
    moonbase(reviewed, "contentdb", "package", "delete", "Alice/doors")
    assert moonbase(reviewed, "contentdb", "review", "list")[0]["package"] is None
    assert moonbase(reviewed, "contentdb", "review", "delete", "--by", "spammer") == {"deleted": 2}
    assert [row["id"] for row in moonbase(reviewed, "contentdb", "review", "list")] == [2]
    done = run(reviewed, "contentdb", "review", "delete", "9")
    assert (done.returncode, "there is no review 9" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    assert moonbase(reviewed, "fsck")["faults"] == []


def test_a_token_for_webhooks_is_made_for_a_maintainer(data: Path) -> None:
    create(data, "Alice/hooked")
    made = moonbase(data, "contentdb", "package", "webhook-token", "Alice/hooked")
    assert made == {"id": made["id"], "package": "Alice/hooked", "token": made["token"]}
    (listed,) = [row for row in moonbase(data, "key", "list", "Alice") if row["id"] == made["id"]]
    assert (listed["scope"], listed["comment"]) == ("package:Alice/hooked", "Webhook of Alice/hooked")
    failed = run(data, "contentdb", "package", "webhook-token", "Alice/hooked", "--for", "bob")
    assert (failed.returncode, "You don't have permission to make releases" in failed.stderr) == (1, True)


def test_reference_data_is_seeded_once(data: Path) -> None:
    assert moonbase(data, "contentdb", "seed")["tags"] == 58
    assert set(moonbase(data, "contentdb", "seed").values()) == {0}


def test_the_detection_of_updates_is_set_listed_and_removed(data: Path) -> None:
    create(data, "Alice/watched")
    arguments = ("contentdb", "updates", "set", "Alice/watched", "--trigger", "commit", "--ref", "main", "--notify")
    failed = run(data, *arguments)
    assert (failed.returncode, "set its repo first" in failed.stderr) == (1, True)
    key = moonbase(data, "key", "create", "Alice", "--service", "contentdb")["key"]
    with serving(data) as server:
        answer = requests.put(
            f"{server.url}/api/packages/Alice/watched/",
            json={"repo": "https://example.org/a/b"},
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
    made = moonbase(data, *arguments)
    state = ("package", "trigger", "ref", "make_release", "failures", "error")
    assert [made[name] for name in state] == ["Alice/watched", "COMMIT", "main", False, 0, None]
    assert moonbase(data, "contentdb", "updates", "list") == [made]
    assert moonbase(data, "contentdb", "updates", "show", "Alice/watched") == made
    assert moonbase(data, "contentdb", "updates", "list", "--failing") == []
    moonbase(data, "contentdb", "updates", "check", "Alice/watched")
    assert "contentdb-check-updates" in [job["name"] for job in moonbase(data, "jobs", "list")]
    moonbase(data, "contentdb", "updates", "remove", "Alice/watched")
    assert moonbase(data, "contentdb", "updates", "list") == []


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("create", "Alice/lamps", "--type", "MOD", "--title", "L", "--license", "MIT"), 1, "already exists"),
        (("create", "nobody/x", "--type", "MOD", "--title", "L", "--license", "MIT"), 1, "no account nobody"),
        (("create", "Alice/x", "--type", "MOD", "--title", "L", "--license", "free"), 1, "Unknown license free"),
        (("create", "Alice/x", "--type", "BOOK", "--title", "L", "--license", "MIT"), 2, "BOOK"),
        (("create", "lamps", "--type", "MOD", "--title", "L", "--license", "MIT"), 2, "is not AUTHOR/NAME"),
        (("approve", "Alice/nothing"), 1, "There is no such package."),
        (("restore", "Alice/lamps/x"), 2, "is not AUTHOR/NAME"),
    ],
)
def test_an_error_names_its_reason(data: Path, arguments: tuple[str, ...], code: int, error: str) -> None:
    done = run(data, "contentdb", "package", *arguments)
    assert (done.returncode, error in done.stderr, "Traceback" in done.stderr) == (code, True, False)


def test_topics_are_imported_whole_or_not_at_all(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "topics.json"
    topic = {"id": 7, "title": "Lamps", "author": "Alice", "type": "mod", "created_at": "2020-01-02"}
    file.write_text(json.dumps([topic, {**topic, "id": 8}]))
    assert moonbase(data, "contentdb", "topics", "import", str(file)) == {"topics": 2}
    file.write_text(json.dumps([topic, {**topic, "views": "many"}]))
    done = run(data, "contentdb", "topics", "import", str(file))
    refused = "moonbase: topic number 2: views must be a whole number from 0 to 2147483647\n"
    assert (done.returncode, done.stderr) == (1, refused)
