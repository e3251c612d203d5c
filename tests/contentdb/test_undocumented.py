"""Endpoints and fields that clients use but the API page does not document: files, installations, AI disclosures."""

from typing import Any

import pytest

from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import NOT_JSON, change, draft, published, refusal, release
from tests.contentdb.files import MOD, picture, released, zipped


def test_the_files_of_releases_and_screenshots_are_listed(
    client: Client, alice: Account, bearer: dict[str, str]
) -> None:
    assert client.get("/api/uploads/").body == b"[]\n"
    draft("Alice/mymod")
    content, image = zipped(MOD), picture()
    released(client, "Alice/mymod", bearer, content)
    form, files = {"title": "One"}, {"file": ("one.png", image)}
    client.post("/api/packages/Alice/mymod/screenshots/new/", headers=bearer, form=form, files=files)
    assert client.get("/api/uploads/").json == []
    change("Alice/mymod", state="APPROVED")
    draft("Alice/draft")
    release("Alice/mymod")  # without a file
    reply = client.get("/api/uploads/")
    assert (reply.status, reply.header("cache-control")) == (200, "max-age=300")
    first = client.get("/api/packages/Alice/mymod/releases/").json[-1]
    shot = client.get("/api/packages/Alice/mymod/screenshots/").json[0]
    assert reply.json == [
        {"url": first["url"], "created_at": first["release_date"], "size": len(content)},
        {"url": shot["url"].removeprefix("http://moonbase.test"), "created_at": shot["created_at"], "size": len(image)},
    ]
    for row in reply.json:
        assert client.get(row["url"]).status in (200, 302)


@pytest.mark.parametrize("size", [10, 600])
def test_the_list_of_files_costs_one_call_when_warm(
    client: Client, calls: list[str], fill_catalogue: Any, size: int
) -> None:
    fill_catalogue(size)
    client.get("/api/uploads/")
    calls.clear()
    assert (client.get("/api/uploads/").status, calls) == (200, ["Query"])


REPORT = {"user_id": "a1", "packages": ["Alice/lamps"], "worlds": []}


def test_a_report_of_installed_packages_is_accepted_and_not_stored(client: Client, calls: list[str]) -> None:
    before = len(list(ContentDbItem.scan()))
    calls.clear()
    reply = client.post("/api/installed_packages/", json=REPORT)
    assert (reply.status, reply.json, calls) == (200, {"success": True}, [])
    assert len(list(ContentDbItem.scan())) == before


@pytest.mark.parametrize("name", REPORT)
def test_a_report_with_a_missing_field_is_rejected(client: Client, name: str) -> None:
    for given in ({key: value for key, value in REPORT.items() if key != name}, {**REPORT, name: None}):
        reply = client.post("/api/installed_packages/", json=given)
        assert (reply.status, reply.json) == (400, refusal(f"Missing {name}"))


@pytest.mark.parametrize("body", [b"", b"{", b"user_id=1", b"\xff"])
def test_a_report_that_is_not_json_is_rejected(client: Client, body: bytes) -> None:
    reply = client.post("/api/installed_packages/", body=body)
    assert (reply.status, reply.json) == (400, NOT_JSON)


def test_a_report_that_is_not_an_object_or_is_too_large_is_rejected(client: Client) -> None:
    assert client.post("/api/installed_packages/", json=[REPORT]).status == 400
    assert client.post("/api/installed_packages/", json={**REPORT, "packages": ["x" * 2**20]}).status == 413


@pytest.mark.parametrize(
    ("disclosure", "line"),
    [("NONE", "No AI was used"), ("ASSISTED", "AI-assisted"), ("GENERATED", "AI-generated"), (None, "Unknown")],
)
def test_the_package_and_the_games_dialog_contain_the_ai_disclosure(
    client: Client, alice: Account, disclosure: str | None, line: str
) -> None:
    published("Alice/lamps")
    change("Alice/lamps", ai_disclosure=disclosure)
    assert client.get("/api/packages/Alice/lamps/").json["ai_disclosure"] == disclosure
    dialog = client.get("/api/packages/Alice/lamps/for-client/", query="formspec_version=8").json
    assert dialog["ai_disclosure"] == disclosure
    assert f"AI Disclosure: <b>{line}</b>" in dialog["info_hypertext"]["body"]


def test_views_of_a_tag_are_not_counted(client: Client) -> None:
    client.get("/api/packages/", query="tag=magic")
    assert {row["views"] for row in client.get("/api/tags/").json} == {0}
