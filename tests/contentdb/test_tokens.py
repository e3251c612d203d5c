"""Which tokens may change a package: those of whoever looks after it, unless they are bound to another."""

from typing import Any

import pytest

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import draft, published, release, screenshot, token
from tests.contentdb.made import picture

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
    """Ask for a change, with a body that would do."""
    ending = path.removeprefix("/api/packages/{author}/{name}")
    if ending == "/screenshots/new":
        form, files = {"title": "One"}, {"file": ("one.png", picture())}
        return client.post(path.format(author="Alice", name=name), headers=headers, form=form, files=files)
    body = BODIES.get(ending, {"type": "MOD", "title": "Lamps", "license": "MIT"})
    where = path.format(author="Alice", name=name, id=1)
    return client.request(method, where, headers=headers, json=body)


def test_the_list_of_changes_is_whole() -> None:
    assert len(WRITES) >= 16


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_token_of_another_package_changes_nothing(client: Client, alice: Account, method: str, path: str) -> None:
    before = client.get("/api/packages/Alice/lamps/").body
    reply = write(client, method, path, token(alice, scope="package:Alice/doors"))
    assert (reply.status, reply.json["success"]) == (403, False)
    assert client.get("/api/packages/Alice/lamps/").body == before


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_token_that_may_only_read_changes_nothing(client: Client, alice: Account, method: str, path: str) -> None:
    before = client.get("/api/packages/Alice/lamps/").body
    assert write(client, method, path, token(alice, scope="read")).status == 403
    assert client.get("/api/packages/Alice/lamps/").body == before


def test_a_token_of_one_package_makes_no_other(client: Client, alice: Account) -> None:
    headers = token(alice, scope="package:Alice/chairs")
    assert write(client, "POST", "/api/packages/{author}/{name}", headers, "tables").status == 403
    assert client.get("/api/packages/Alice/tables/").status == 404
    assert write(client, "POST", "/api/packages/{author}/{name}", headers, "chairs").status == 200


@pytest.mark.parametrize("bound", [None, "package:Alice/lamps"])
def test_a_maintainers_token_does_a_maintainers_work(client: Client, bob: Account, bound: str | None) -> None:
    headers = token(bob, scope=bound)
    edit = ("PUT", "/api/packages/{author}/{name}", headers)
    assert write(client, *edit).status == 403
    registry.set_maintainers("Alice", "lamps", ["bob"])
    assert write(client, *edit).status == 200
    assert write(client, "POST", "/api/packages/{author}/{name}/screenshots/order", headers).status == 200
    registry.set_maintainers("Alice", "lamps", [])
    assert write(client, *edit).status == 403
