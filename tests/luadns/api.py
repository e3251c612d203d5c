"""A client of LuaDNS' API, and helpers for its errors."""

import base64
from collections.abc import Mapping
from typing import Any

from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from chalicelib.luadns.tables import LuaDnsItem
from tests.client import Client, Reply


def basic(user: str, secret: str) -> str:
    """Return the Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


class LuaDns:
    """An API client with one key."""

    def __init__(self, client: Client, email: str, secret: str) -> None:
        self.client = client
        self.headers = {
            "Accept": "application/json",
            "Authorization": basic(email, secret),
            "User-Agent": "curl/8.14.1",  # errors as the documentation has them
        }

    def __call__(self, method: str, path: str, json: Any = None, headers: Mapping[str, str] = {}, **more: Any) -> Reply:
        return self.client.request(method, f"/v1{path}", json=json, headers={**self.headers, **headers}, **more)

    def get(self, path: str, **more: Any) -> Any:
        """Return the body of a GET, which must succeed."""
        return self._json(self("GET", path, **more))

    def make(self, path: str, json: Any) -> Any:
        """Return the body of a POST, which must succeed."""
        return self._json(self("POST", path, json))

    def zone(self, name: str = "example.com") -> int:
        """Create a zone and return its id."""
        return int(self.make("/zones", {"name": name})["id"])

    def record(self, zone: int, name: str, type: str, content: str, **more: Any) -> dict[str, Any]:
        """Create a record and return it."""
        made: dict[str, Any] = self.make(
            f"/zones/{zone}/records", {"name": name, "type": type, "content": content, **more}
        )
        return made

    def own(self, zone: int) -> list[tuple[str, str, str]]:
        """Name, type and content of a zone's records, except the SOA and NS records of every zone."""
        listed = self.get(f"/zones/{zone}/records")
        rows = [(row["name"], row["type"], row["content"]) for row in listed]
        assert [type for _, type, _ in rows[:3]] == ["SOA", "NS", "NS"]
        return rows[3:]

    def serial(self, zone: int) -> int:
        """The serial in the zone's SOA."""
        return int(self.get(f"/zones/{zone}/records")[0]["content"].split()[2])

    @staticmethod
    def _json(reply: Reply) -> Any:
        assert reply.status == 200, reply.body
        return reply.json


def key_for(client: Client, account: Account, scope: str | None = None) -> LuaDns:
    """Enable the API for an account and return a client with a new key."""
    accounts.switch(account, "luadns_enabled", True)
    return LuaDns(client, account.email, credentials.create(account, "luadns", scope=scope)[1])


def stored() -> list[dict[str, Any]]:
    """All items in LuaDNS' table."""
    return sorted(
        (item.to_simple_dict(force=True) for item in LuaDnsItem.scan()), key=lambda item: (item["pk"], item["sk"])
    )


def assert_invalid(reply: Reply, *problems: dict[str, Any]) -> None:
    """Assert that a reply is a 400 with exactly these problems, in the documented envelope."""
    assert (reply.status, reply.json["status"], reply.json["errors"]) == (400, "Bad Request", list(problems))
    assert list(reply.json) == ["status", "request_id", "message", "errors"]


def problem(field: str, message: str, classification: str | None = None) -> dict[str, Any]:
    """One problem of a 400, as JSON."""
    shown: dict[str, Any] = {"fieldNames": [field] if field else []}
    if classification:
        shown["classification"] = classification
    return {**shown, "message": message}
