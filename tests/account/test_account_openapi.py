"""The OpenAPI document has every route and no other; every body is parsed as documented."""

from typing import Any

import pytest

import app
from chalicelib.account import auth
from chalicelib.account.service import API, Operation, operations, service
from chalicelib.web.bodies import SMALL
from tests.account.person import Person, refused
from tests.client import Client
from tests.worlds import embedded_only

DOCUMENT = f"{API}/openapi.json"
READ = [operation for operation in operations if operation.accepts]


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    """The served document."""
    found: dict[str, Any] = client.get(DOCUMENT).json
    return found


def test_the_document_has_every_route_and_no_other(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    routes = {(route.method, route.path) for route in service.routes if route.path.startswith(f"{API}/")}
    assert routes - described == {("GET", DOCUMENT)}
    assert described <= routes


def test_every_operation_has_a_summary_and_a_credential(document: dict[str, Any]) -> None:
    described = [one for methods in document["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in described}) == len(described)
    assert [one["operationId"] for one in described if not one["summary"]] == []
    open_to_all = {one["operationId"] for one in described if not one["security"]}
    of_links = {"confirm_email", "request_password_link", "set_password_by_link"}
    assert open_to_all == {"register", "begin_session", *of_links}


def test_writes_by_cookie_name_the_token(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            if one["security"]:
                by_cookie = {"cookie": []} if method == "get" else {"cookie": [], "csrf": []}
                assert one["security"] == [{"bearer": []}, by_cookie], (method, path)


def test_the_document_is_valid_openapi_without_dangling_references(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(document["info"]) == ["title", "version", "description"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie", "csrf"}
    for path, methods in document["paths"].items():
        for one in methods.values():
            named = {parameter["name"] for parameter in one.get("parameters", []) if parameter["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert one["responses"]["default"]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Error"
            }


@embedded_only
@pytest.mark.parametrize("operation", READ, ids=lambda operation: f"{operation.method} {operation.path}")
def test_request_bodies_match_the_document(root: Person, operation: Operation) -> None:
    assert operation.accepts is not None
    path = operation.path.removeprefix(API).replace("{id}", "1").replace("{username}", "root")
    strange = {"no-such-field": "1"}
    sent: dict[str, Any] = {"query": strange} if operation.method == "GET" else {"json": strange}
    message = f"There is no field 'no-such-field' here; there are: {', '.join(operation.accepts)}."
    refused(root.send(operation.method, path, **sent), 400, message)


def test_the_document_is_cacheable(client: Client) -> None:
    reply = client.get(DOCUMENT)
    assert reply.header("cache-control") == "public, max-age=3600"
    assert client.get(DOCUMENT, headers={"If-None-Match": str(reply.header("etag"))}).status == 304


def test_bodies_are_limited_and_responses_not_cacheable(visitor: Person, client: Client) -> None:
    for route in service.routes:
        assert route.largest == SMALL
    refused(visitor.get("/me"), 401, "Log in first.")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/account/api", 404, "There is nothing at this path."),
        ("GET", "/account/api/nothing", 404, "There is nothing at this path."),
        ("DELETE", "/account/api/me", 405, "This path does not take this method."),
    ],
)
def test_an_unknown_path_has_the_same_envelope(
    client: Client, method: str, path: str, status: int, message: str
) -> None:
    refused(client.request(method, path), status, message)


def test_the_api_adds_few_paths_to_the_gateway() -> None:
    paths = [place.path for place in app.site.tree.nodes() if place.path.startswith(API)]
    assert len(paths) <= 42


def test_every_operation_authenticates() -> None:
    known = (auth.VISITOR, auth.SESSION)
    assert [operation.path for operation in operations if operation.credential not in known] == []
