"""A client of the account's API. Each response must match the OpenAPI document."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chalicelib.account import csrf, openapi
from chalicelib.core.tables import CoreItem
from tests.client import Client, Reply

API = "/account/api"

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


class Person:
    """A client of the API: without a session, or with one by cookie or as a Bearer token."""

    def __init__(self, client: Client, secret: str | None = None, *, by_cookie: bool = True) -> None:
        self.client = client
        self.secret = secret
        self.headers: dict[str, str] = {}
        if secret and by_cookie:
            self.headers = {"Cookie": f"moonbase_session={secret}", "X-CSRF-Token": csrf.token_for(secret)}
        elif secret:
            self.headers = {"Authorization": f"Bearer {secret}"}

    def send(self, method: str, path: str, *, headers: Mapping[str, str] = {}, **more: Any) -> Reply:
        """Send a request to `path` below the API, with the session; a header that is None is left out."""
        given = {name: value for name, value in {**self.headers, **headers}.items() if value is not None}
        reply = self.client.request(method, API + path, headers=given, **more)
        assert_documented(method, API + path, reply)
        return reply

    def get(self, path: str, **more: Any) -> Reply:
        return self.send("GET", path, **more)

    def post(self, path: str, data: Any = None, **more: Any) -> Reply:
        return self.send("POST", path, json=data, **more)

    def put(self, path: str, data: Any = None, **more: Any) -> Reply:
        return self.send("PUT", path, json=data, **more)

    def patch(self, path: str, data: Any = None, **more: Any) -> Reply:
        return self.send("PATCH", path, json=data, **more)

    def delete(self, path: str, **more: Any) -> Reply:
        return self.send("DELETE", path, **more)


LogIn = Callable[..., Person]


def refused(reply: Reply, status: int, message: str, field: str | None = None) -> None:
    """Assert the status and the whole body of an error."""
    body = {"message": message} if field is None else {"message": message, "field": field}
    assert (reply.status, reply.json) == (status, body)
    assert reply.header("cache-control") == "no-store"


@contextmanager
def nothing_stored() -> Iterator[None]:
    """Assert that the block stores nothing except counters of attempts and the last use of a session."""
    before = stored()
    yield
    assert stored() == before


def stored() -> list[str]:
    """All stored items about accounts."""
    items = [item.to_dynamodb_dict() for item in CoreItem.scan() if not item.pk.startswith("window#")]
    for item in items:
        item.pop("last_used_at", None)
        item.pop("attempts", None)
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def assert_documented(method: str, path: str, reply: Reply) -> None:
    """Assert that the OpenAPI document declares this response."""
    found = [
        described[method.lower()]
        for template, described in openapi.document()["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) and method.lower() in described
    ]
    if not found:
        return
    answers = found[0]["responses"]
    answer = answers.get(str(reply.status)) or answers["default"]
    assert str(reply.status) in answers or reply.status >= 400, f"{method} {path} does not declare {reply.status}"
    if "content" not in answer:
        assert reply.body == b""
        return
    schema = answer["content"]["application/json"]["schema"]
    assert_fits(reply.json, openapi.document()["components"]["schemas"]["Error"] if "$ref" in schema else schema)


def assert_fits(value: Any, schema: dict[str, Any]) -> None:
    """Assert that a value matches a schema, as far as our schemas use JSON Schema."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(type(value) is TYPES[kind] for kind in kinds), (value, schema)
    assert value is None or "enum" not in schema or value in schema["enum"], (value, schema)
    if isinstance(value, list):
        for item in value:
            assert_fits(item, schema["items"])
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"]), (value, schema)
        for name, item in value.items():
            assert_fits(item, schema["properties"][name])
