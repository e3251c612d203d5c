"""Names of deleted and renamed packages are reserved for their former owners, at every service."""

import time

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import credentials, names
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import token
from tests.hel.builders import package

QUARANTINE = 90 * 86400


def session(account: Account) -> dict[str, str]:
    return {"Cookie": f"auth_tkt={credentials.create(account, credentials.SESSION)[1]}"}


def test_a_deleted_name_is_available_only_to_its_former_owners(aws: None) -> None:
    writes = Transaction()
    names.reserve(writes, "hel", "Thing", ["Alice", "bob"])
    writes.commit()
    assert [names.is_available("hel", "thing", name) for name in ("alice", "BOB", "carol")] == [True, True, False]
    assert names.is_available("luarocks", "thing", "carol")
    with pytest.raises(names.NameReserved, match="The name thing is reserved for its former owner until 20"):
        names.check("hel", "thing", "carol")
    with time_machine.travel(time.time() + QUARANTINE + 60):
        names.check("hel", "thing", "carol")


def test_the_quarantine_can_be_turned_off(aws: None) -> None:
    with settings.override(name_quarantine_days=0):
        names.reserve(Transaction(), "hel", "thing", ["alice"])
    assert names.is_available("hel", "thing", "carol")


@pytest.mark.parametrize("renamed", [False, True])
def test_a_name_of_hel_is_reserved(client: Client, alice: Account, bob: Account, renamed: bool) -> None:
    owner, stranger = session(alice), session(bob)
    assert client.post("/packages", json=package("thing", owners=["alice"]), headers=owner).status == 201
    if renamed:
        assert client.request("PATCH", "/packages/thing", json={"name": "other"}, headers=owner).status == 204
    else:
        assert client.request("DELETE", "/packages/thing", headers=owner).status == 204
    reply = client.post("/packages", json=package("thing"), headers=stranger)
    assert (reply.status, reply.json["message"][:47]) == (409, "The name thing is reserved for its former owner")
    if not renamed:
        assert client.post("/packages", json=package("thing", owners=["alice"]), headers=owner).status == 201


def test_a_former_name_of_contentdb_is_reserved_for_its_author(client: Client, alice: Account, bob: Account) -> None:
    fields = {"type": "mod", "title": "Lamps", "license": "MIT"}
    headers = token(alice)
    assert client.post("/api/packages/Alice/lamps/", json=fields, headers=headers).status == 200
    assert client.request("PUT", "/api/packages/Alice/lamps/", json={"name": "lights"}, headers=headers).status == 200
    assert not names.is_available("contentdb", "Alice/lamps", "bob")
    assert names.is_available("contentdb", "Alice/lamps", "alice")
