"""Tokens that may change a package: those of its author and maintainers, unless their scope is another package."""

from typing import Any

import pytest

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import draft, published, release, screenshot, token
from tests.contentdb.files import picture

WRITES = [
    (route.method, route.path)
    for route in service.routes
    if route.method != "GET" and route.path.startswith("/api/packages/{author}/{name}")
]
BODIES: dict[str, Any] = {
    "/maintainers": [],
    "/aliases": [],
    "/screenshots/order": [1],
    "/screenshots/cover-image": {"cover_image": 1},
    "/releases/new": {"title": "One", "method": "git"},
}


@pytest.fixture(autouse=True)
def _lamps(alice: Account) -> None:
    published("Alice/lamps")
    release("Alice/lamps")
    screenshot("Alice/lamps")
    draft("Alice/doors")


def write(client: Client, method: str, path: str, headers: dict[str, str], name: str = "lamps") -> Reply:
    """Send a change with a valid body."""
    ending = path.removeprefix("/api/packages/{author}/{name}")
    if ending == "/screenshots/new":
        form, files = {"title": "One"}, {"file": ("one.png", picture())}
        return client.post(path.format(author="Alice", name=name), headers=headers, form=form, files=files)
    body = BODIES.get(ending, {"type": "MOD", "title": "Lamps", "license": "MIT"})
    url = path.format(author="Alice", name=name, id=1)
    return client.request(method, url, headers=headers, json=body)


def test_the_list_of_changes_is_complete() -> None:
    assert len(WRITES) >= 16


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_token_for_another_package_cannot_change_anything(
    client: Client, alice: Account, method: str, path: str
) -> None:
    before = client.get("/api/packages/Alice/lamps/").body
    reply = write(client, method, path, token(alice, scope="package:Alice/doors"))
    assert (reply.status, reply.json["success"]) == (403, False)
    assert client.get("/api/packages/Alice/lamps/").body == before


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_read_token_cannot_change_anything(client: Client, alice: Account, method: str, path: str) -> None:
    before = client.get("/api/packages/Alice/lamps/").body
    assert write(client, method, path, token(alice, scope="read")).status == 403
    assert client.get("/api/packages/Alice/lamps/").body == before


def test_a_token_for_one_package_can_create_only_that_package(client: Client, alice: Account) -> None:
    headers = token(alice, scope="package:Alice/chairs")
    assert write(client, "POST", "/api/packages/{author}/{name}", headers, "tables").status == 403
    assert client.get("/api/packages/Alice/tables/").status == 404
    assert write(client, "POST", "/api/packages/{author}/{name}", headers, "chairs").status == 200


@pytest.mark.parametrize("scope", [None, "package:Alice/lamps"])
def test_a_maintainers_token_can_edit_the_package(client: Client, bob: Account, scope: str | None) -> None:
    headers = token(bob, scope=scope)
    edit = ("PUT", "/api/packages/{author}/{name}", headers)
    assert write(client, *edit).status == 403
    registry.set_maintainers("Alice", "lamps", ["bob"])
    assert write(client, *edit).status == 200
    assert write(client, "POST", "/api/packages/{author}/{name}/screenshots/order", headers).status == 200
    registry.set_maintainers("Alice", "lamps", [])
    assert write(client, *edit).status == 403
