"""A client of LuaDNS' API, and its refusals."""

import base64
from collections.abc import Mapping
from typing import Any

from chalicelib.core import accounts, credentials
from chalicelib.core.tables import Account
from chalicelib.luadns.tables import LuaDnsItem
from tests.client import Client, Reply


def basic(user: str, secret: str) -> str:
    """The Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


class LuaDns:
    """One key's way into the API."""

    def __init__(self, client: Client, email: str, secret: str) -> None:
        self.client = client
        self.headers = {"Accept": "application/json", "Authorization": basic(email, secret)}

    def __call__(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] = {}, **more: Any) -> Reply:
        return self.client.request(method, f"/v1{path}", json=json, headers={**self.headers, **headers}, **more)

    def get(self, path: str, **more: Any) -> Any:
        """What is there; it must be."""
        return self._good(self("GET", path, **more))

    def make(self, path: str, json: Any) -> Any:
        """What a POST makes; it must."""
        return self._good(self("POST", path, json))

    def zone(self, name: str = "example.com") -> int:
        """A new zone's id."""
        return int(self.make("/zones", {"name": name})["id"])

    def record(self, zone: int, name: str, type: str, content: str, **more: Any) -> dict[str, Any]:
        """A new record."""
        made: dict[str, Any] = self.make(
            f"/zones/{zone}/records", {"name": name, "type": type, "content": content, **more}
        )
        return made

    def own(self, zone: int) -> list[tuple[str, str, str]]:
        """Name, type and content of a zone's records, but for those that every zone has."""
        listed = self.get(f"/zones/{zone}/records")
        rows = [(row["name"], row["type"], row["content"]) for row in listed]
        assert [type for _, type, _ in rows[:3]] == ["SOA", "NS", "NS"]
        return rows[3:]

    def serial(self, zone: int) -> int:
        """The serial in the zone's SOA."""
        return int(self.get(f"/zones/{zone}/records")[0]["content"].split()[2])

    @staticmethod
    def _good(reply: Reply) -> Any:
        assert reply.status == 200, reply.body
        return reply.json


def key_for(client: Client, account: Account, scope: str | None = None) -> LuaDns:
    """A new key of an account that may use the API."""
    accounts.switch(account, "luadns_enabled", True)
    return LuaDns(client, account.email, credentials.create(account, "luadns", scope=scope)[1])


def stored() -> list[dict[str, Any]]:
    """Everything in LuaDNS' table."""
    return sorted((item.to_simple_dict() for item in LuaDnsItem.scan()), key=lambda item: (item["pk"], item["sk"]))


def refused(reply: Reply, *problems: dict[str, Any]) -> None:
    """That a reply is a 400 with just these problems, as a client that wants an object gets it."""
    assert (reply.status, reply.json["status"], reply.json["errors"]) == (400, "Bad Request", list(problems))
    assert list(reply.json) == ["status", "request_id", "message", "errors"]


def wrong(field: str, message: str, classification: str | None = None) -> dict[str, Any]:
    """One problem, as it is shown."""
    shown: dict[str, Any] = {"fieldNames": [field]}
    if classification:
        shown["classification"] = classification
    return {**shown, "message": message}
