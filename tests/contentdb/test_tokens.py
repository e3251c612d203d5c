"""Tokens that may change a package: those of its author and maintainers, unless their scope is another package."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
import time_machine

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.core.identity import accounts, two_factor
from chalicelib.core.tables import Account
from tests import people
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, published, refusal, release, screenshot, token
from tests.contentdb.files import picture

WRITES = [
    (route.method, route.path)
    for route in service.routes
    if route.method != "GET" and route.path.startswith("/api/packages/{author}/{name}")
]
BODIES: dict[str, Any] = {
    "/maintainers": [],
    "/aliases": [],
    "/update-detection": {"trigger": "TAG"},
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
    if method == "DELETE" or ending.endswith(("/approve", "/request-changes", "/unapprove", "/refuse")):
        body = {"reason": "Please add a licence."}
    url = path.format(author="Alice", name=name, id=1, comment=1)
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


def test_an_editor_with_a_second_factor_needs_a_code_for_packages_of_others(client: Client, alice: Account) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC), tick=False) as clock:
        editor = people.register("Eddie", "eddie@example.org", "correct horse battery", "EDITOR")
        secret = pyotp.TOTP(two_factor.enable(editor).secret)
        draft("Eddie/own")
        bearer = token(accounts.named("Eddie"))

        def edit(key: str, code: str | None = None) -> Reply:
            headers = {**bearer, **({"X-TFA-Code": code} if code else {})}
            return client.request("PUT", f"/api/packages/{key}/", headers=headers, json={"short_description": "New"})

        missing = refusal("This account uses two-factor authentication: send a current code too.")
        assert edit("Eddie/own").status == 200
        assert (edit("Alice/lamps").status, edit("Alice/lamps").json) == (403, missing)
        assert edit("Alice/lamps", "000000").json == refusal("Invalid verification code")
        assert edit("Alice/lamps", secret.at(datetime.now(UTC))).status == 200
        clock.shift(timedelta(seconds=890))
        assert edit("Alice/lamps").status == 200
        clock.shift(timedelta(seconds=20))
        assert edit("Alice/lamps").json == missing
        change("Alice/lamps", maintainers=["Eddie"])
        assert edit("Alice/lamps").status == 200
