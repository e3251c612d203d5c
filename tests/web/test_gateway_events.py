"""The whole app with API Gateway's documented events: every path, and all parts of a request."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote

import pytest

import app as moonbase
from chalicelib import settings
from chalicelib.core import job_runner
from chalicelib.core.tables import Account
from chalicelib.web.request import Request
from chalicelib.web.routing import PathNode
from chalicelib.web.service import Service
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft, token
from tests.contentdb.files import MOD, picture, zipped
from tests.hel.builders import package
from tests.luadns.api import key_for
from tests.luarocks.builders import rock, rockspec
from tests.web.gateway_events import Resources, rest_event, sample
from tests.worlds import both_worlds, embedded_only

pytestmark = both_worlds

RESOURCES = Resources(moonbase.app.routes)
NODES = sorted(moonbase.site.tree.nodes(), key=lambda node: node.path)
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
ODD = "l ä+%/{x}"  # the decoded value of a path parameter
API = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/prod"
BASES = (API, "https://api.test", "http://moonbase.test")


def golden(method: str, path: str, stage: str = "", **more: Any) -> dict[str, Any]:
    """Return API Gateway's event of a request."""
    resource, params = RESOURCES.find(method, path)
    return rest_event(method, path, stage=stage, resource=resource, params=params, **more)


def filled(node: PathNode[Service]) -> str:
    """Return a node's path with an encoded value for each parameter."""
    return "/".join(quote(f"{ODD}{part}", safe="") if "{" in part else part for part in node.path.split("/"))


def plain(reply: Reply, stage: str = "") -> str:
    """Return a response as text, without the base of its URLs and LuaDNS' request id, which differ between requests.

    All links of a page must be below the `stage`.
    """
    headers = {name: values for name, values in reply.headers.items() if name not in ("content-length", "etag")}
    text = f"{reply.status} {headers} {reply.body.decode()}"
    for base in BASES:
        text = text.replace(base, "https://HERE")
    if stage:
        assert not re.search(rf' (href|src|action)="/(?!{stage}/)', text)
        text = re.sub(rf' (href|src|action)="/{stage}/', r' \1="/', text)
    return re.sub(r'"request_id":"[^"]+"', "", text)


def test_generated_events_equal_the_samples() -> None:
    for name, stage in (("rest-custom-domain", ""), ("rest-execute-api", "prod")):
        event = sample(name)
        more = {
            "query": event["multiValueQueryStringParameters"],
            "headers": event["multiValueHeaders"],
            "body": base64.b64decode(event["body"]) if event["body"] else None,
        }
        assert golden(event["httpMethod"], event["path"], stage, **more) == event


def test_every_path_has_its_resource_and_its_parameters() -> None:
    for node in NODES:
        for method in node.methods:
            event = golden(method, filled(node))
            _, found, params = moonbase.site.tree.find(Request(event).segments)
            assert found is node
            if event["resource"] == "/{proxy+}":
                root_file = node.path.count("/") == 1
                assert root_file or node.is_page, f"{method} {node.path} has no resource"
            elif event["resource"] != "/":
                assert (event["resource"], event["pathParameters"] or {}) == (node.path, params)
            assert params == {part[1:-1]: f"{ODD}{part}" for part in node.path.split("/") if "{" in part}


@embedded_only
@pytest.mark.parametrize("stage", ["", "prod"])
def test_every_path_gives_the_same_response_as_on_one_machine(client: Client, stage: str) -> None:
    """The requests have no credential, so that they change nothing, and all methods, also unsupported ones."""
    for node in NODES:
        for method in METHODS:
            ours = client.request(method, filled(node))
            theirs = client.answer(golden(method, filled(node), stage))
            assert (node.path, method, plain(theirs, stage)) == (node.path, method, plain(ours))
            assert ours.status < 500


def test_the_samples_are_answered(client: Client, alice: Account) -> None:
    draft("Alice/lamps")
    unknown = client.answer(sample("rest-custom-domain"))
    assert (unknown.status, unknown.json["success"]) == (404, False)
    known = {**sample("rest-custom-domain"), "path": "/api/packages/Alice/lamps/releases/"}
    assert (client.answer(known).status, client.answer(known).json) == (200, [])
    nowhere = client.answer(sample("rest-execute-api"))
    assert (nowhere.status, nowhere.json) == (404, {"message": "There is nothing at this path."})


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": ["iron lamps"]}, ["lamps"]),
        ({"q": ["a+b"]}, ["plus"]),
        ({"type": ["mod", "txp"]}, ["lamps", "plus", "skin"]),
        ({"type": ["txp"]}, ["skin"]),
        ({"q": [""], "type": ["mod"]}, ["lamps", "plus"]),
        (None, ["lamps", "plus", "skin"]),
    ],
)
def test_query_parameters_are_decoded(client: Client, alice: Account, query: Any, names: list[str]) -> None:
    """API Gateway decodes a plus to a blank and %2B to a plus; it lists all values of a repeated parameter."""
    for name, type, title in (("lamps", "MOD", "Iron lamps"), ("plus", "MOD", "a+b"), ("skin", "TXP", "Skin")):
        draft(f"Alice/{name}", type=type, title=title)
        change(f"Alice/{name}", state="APPROVED")
    reply = client.answer(golden("GET", "/api/packages/", query=query))
    assert (reply.status, sorted(found["name"] for found in reply.json)) == (200, names)


@pytest.mark.parametrize("coded", [True, False])
@pytest.mark.parametrize("body", [None, ""])
def test_all_representations_of_no_body_are_equal(client: Client, body: str | None, coded: bool) -> None:
    event = {**golden("POST", "/auth"), "body": body, "isBase64Encoded": coded}
    reply = client.answer(event)
    assert (reply.status, reply.json["message"]) == (400, "Bad request.")


def test_a_text_body_is_read(client: Client) -> None:
    about = {"action": "register", "nickname": "Müller", "email": "m@example.org", "password": "wonderland"}
    event = {**golden("POST", "/auth"), "body": json.dumps(about, ensure_ascii=False), "isBase64Encoded": False}
    with settings.override(registration="open"):
        assert client.answer(event).json["message"] == "The nickname contains illegal characters."


@pytest.mark.parametrize("missing", [None, {}])
def test_a_request_without_headers_is_answered(client: Client, missing: dict[str, str] | None) -> None:
    for path in ("/api/tool_version", "/manifest", "/packages", "/api/packages/", "/v1/zones"):
        event = {**golden("GET", path), "headers": missing, "multiValueHeaders": missing}
        assert client.answer(event).status == (403 if path == "/v1/zones" else 200)  # LuaDNS requires an Accept header


def test_head_has_the_headers_of_get(client: Client, alice: Account) -> None:
    for path in ("/api/tool_version", "/manifest", "/packages", "/api/packages/", "/healthz", "/hel/index"):
        get, head = (client.answer(golden(method, path)) for method in ("GET", "HEAD"))
        assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(get.body)))


def test_every_path_supports_options(client: Client) -> None:
    for node in NODES:
        reply = client.answer(golden("OPTIONS", filled(node)))
        assert reply.header("allow") == ", ".join(node.methods)


def test_cookies_can_be_in_one_or_several_headers(client: Client, alice: Account) -> None:
    """HTTP/2 lets a client send each cookie in a header of its own (RFC 9113, section 8.2.3)."""
    about = {"action": "log-in", "nickname": "Alice", "password": "wonderland"}
    log_in = client.answer(golden("POST", "/auth", body=json.dumps(about).encode()))
    cookie = str(log_in.header("set-cookie")).partition(";")[0]
    for sent in ([f"theme=dark; {cookie}"], [cookie, "theme=dark"], ["theme=dark", cookie]):
        profile = client.answer(golden("GET", "/profile", headers={"Cookie": sent}))
        assert (profile.status, profile.json["logged_in"]) == (200, True), sent


def test_the_last_of_repeated_headers_is_used(client: Client, alice: Account) -> None:
    good = token(alice)["Authorization"]
    for sent, known in ([["Bearer x", good], True], [[good, "Bearer x"], False], [[good], True]):
        reply = client.answer(golden("GET", "/api/whoami/", headers={"Authorization": sent}))
        assert reply.json.get("is_authenticated", False) is known


@pytest.fixture
def behind(aws: None) -> Client:
    """A client that calls the API's own host name, where each path starts with the stage."""

    def make_event(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        named = parse_qs(query, keep_blank_values=True)
        return golden(method, path, "prod", query=named, headers=headers, body=body)

    client = Client(make_event)
    client.headers.clear()
    return client


def follow(behind: Client, url: Any) -> Reply:
    """Request a URL from a response; it must have the stage."""
    assert str(url).startswith(f"{API}/")
    path, _, query = str(url).removeprefix(API).partition("?")
    return behind.get(path, query=query)


def test_rocks_can_be_published_and_found_below_a_stage(behind: Client, key: str) -> None:
    made = behind.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x.rockspec", rockspec())}).json
    files = {"rock_file": ("say-1.0-1.src.rock", rock())}
    assert behind.post(f"/api/1/{key}/upload_rock/{made['version']['id']}", files=files).status == 200
    assert follow(behind, made["module_url"]).status == 200
    (version,) = behind.get("/api/1/modules/say").json["versions"]
    assert [follow(behind, file["url"]).body for file in version["files"]] == [rockspec(), rock()]
    assert follow(behind, behind.get("/manifests/alice").header("location")).status == 200


def test_packages_can_be_published_and_found_below_a_stage(behind: Client, alice: Account) -> None:
    draft("Alice/mymod")
    bearer = token(alice)
    new = "/api/packages/Alice/mymod/releases/new/"
    files = {"file": ("mymod.zip", zipped(MOD))}
    task = behind.post(new, headers=bearer, form={"title": "One"}, files=files).json["task"]
    job_runner.run_due()
    change("Alice/mymod", state="APPROVED")
    assert behind.get(task).json["status"] == "SUCCESS"
    shot = {"file": ("one.png", picture())}
    made = behind.post("/api/packages/Alice/mymod/screenshots/new/", headers=bearer, form={"title": "One"}, files=shot)
    assert follow(behind, made.json["screenshot"]["url"]).header("content-type") == "image/png"
    shown = behind.get("/api/packages/Alice/mymod/").json
    (release,) = behind.get("/api/packages/Alice/mymod/releases/").json
    assert follow(behind, shown["url"]).status == 302
    assert behind.get(release["url"]).status in (200, 302)  # upstream's URL is only a path


def test_hel_and_luadns_work_below_a_stage(behind: Client, bob: Account) -> None:
    about = {"nickname": "Carol", "email": "carol@example.org", "password": "wonderland"}
    with settings.override(registration="open"):
        assert behind.post("/auth", json={"action": "register", **about}).status == 200
    cookie = str(behind.post("/auth", json={"action": "log-in", **about}).header("set-cookie"))
    assert "Path=/;" in cookie
    assert "; Secure" in cookie
    created = behind.post("/packages", json=package(), headers={"Cookie": cookie.partition(";")[0]})
    assert (created.status, behind.get("/packages/thing").json["data"]["name"]) == (201, "thing")
    dns = key_for(behind, bob)
    zone = dns.zone("example.com")
    record = dns.record(zone, "www.example.com.", "A", "192.0.2.1")
    assert dns("DELETE", f"/zones/{zone}/records/{record['id']}").status == 200
