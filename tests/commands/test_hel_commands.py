"""`moonbase hel`: the administrator's commands for packages."""

import json
import urllib.request
from pathlib import Path

import pytest

from tests.servers import moonbase, serving

DRUM = {
    "name": "drum",
    "description": "Plays a drum.",
    "short_description": "A drum",
    "owners": ["Alice", "bob"],
    "authors": ["Alice", "Carol"],
    "license": "MIT",
    "tags": ["music"],
    "versions": {"1.0.0": {"files": {}, "depends": {}, "changes": "First."}},
    "screenshots": {},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alice has published the package drum."""
    directory = tmp_path_factory.mktemp("hel") / "data"
    with serving(directory, "--workers", "1") as server:
        moonbase(directory, "user", "create", "Alice", "--email", "alice@example.org")
        key = moonbase(directory, "key", "create", "alice", "--service", "hel")["key"]
        request = urllib.request.Request(
            f"{server.url}/packages", json.dumps(DRUM).encode(), {"Authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
    return directory


ROW = {"package": "drum", "owners": "Alice, bob", "versions": "1.0.0", "archived": False, "downloads": 0}


def test_packages_are_listed(data: Path) -> None:
    assert moonbase(data, "hel", "list") == moonbase(data, "hel", "list", "--owner", "BOB") == [ROW]
    assert moonbase(data, "hel", "list", "--owner", "carol") == []


def test_a_package_is_shown(data: Path) -> None:
    shown = moonbase(data, "hel", "show", "drum")
    assert shown["created_at"].endswith("+00:00")
    assert {**shown, "created_at": "then", "updated_at": "then"} == {
        **ROW,
        "license": "MIT",
        "authors": "Alice, Carol",
        "tags": "music",
        "short_description": "A drum",
        "archive_reason": None,
        "created_at": "then",
        "updated_at": "then",
        "views": 0,
    }


def test_a_package_is_archived_and_listed_again(data: Path) -> None:
    archived = moonbase(data, "hel", "archive", "drum", "--reason", "Too loud.")
    assert archived == {**ROW, "archived": True}
    assert moonbase(data, "hel", "show", "drum")["archive_reason"] == "Too loud."
    assert moonbase(data, "hel", "unarchive", "drum") == ROW
