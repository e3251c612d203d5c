"""Lambda's 6 MB: each service refuses larger bodies in its own words; S3 transfers larger files in both directions."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

import app as moonbase
from chalicelib import settings
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import draft, token
from tests.contentdb.files import MOD, checked, fetched, zipped
from tests.luarocks.builders import rock, rockspec
from tests.web.gateway_events import Resources, rest_event
from tests.worlds import moto_only

LAMBDA = 6 * 1024 * 1024
ENVELOPES = {  # the members of a refusal, and the member with the text
    "luarocks": ({"errors"}, "errors"),
    "contentdb": ({"success", "code", "name", "description"}, "description"),
    "hel": ({"success", "title", "message", "explanation", "code", "version", "logged_in"}, "message"),
    "luadns": ({"status", "request_id", "message"}, "message"),
    "home": ({"message"}, "message"),
    "account": ({"message"}, "message"),
}
RESOURCES = Resources(moonbase.app.routes)

pytestmark = moto_only


@pytest.fixture(autouse=True)
def limit(aws: None, merged: dict[str, Any]) -> Iterator[int]:
    """The limits of the template, in force; return the largest body."""
    variables = merged["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    body, answer = int(variables["MOONBASE_MAX_BODY"]), int(variables["MOONBASE_MAX_ANSWER"])
    with settings.override(max_body=body, max_answer=answer):
        yield body


def test_a_body_at_the_limit_fits_into_a_lambda_event(client: Client, limit: int) -> None:
    event = rest_event("POST", "/api/1/key/upload", headers={"Accept": "x" * 8000}, body=bytes(limit))
    assert LAMBDA - 200_000 < len(json.dumps(event)) < LAMBDA


def test_every_route_with_a_body_refuses_a_larger_one_in_its_own_words(client: Client, limit: int) -> None:
    event = rest_event("POST", "/", body=bytes(limit + 1))
    refusing = set()
    for place in moonbase.site.tree.nodes():
        path = place.path.replace("{", "").replace("}", "")
        owner, _, _ = moonbase.site.tree.find(tuple(path.strip("/").split("/")))
        assert owner is not None
        for method in place.routes.keys() - {"GET"}:
            resource, params = RESOURCES.find(method, path)
            target = {"httpMethod": method, "path": path, "resource": resource, "pathParameters": params}
            reply = client.answer({**event, **target})
            names, name = ENVELOPES[owner.name]
            assert (path, reply.status, set(reply.json)) == (path, 413, names)
            assert f"The request is larger than {place.routes[method].largest} bytes." in str(reply.json[name])
            refusing.add(owner.name)
    assert refusing == set(ENVELOPES)


def send(slot: dict[str, Any], content: bytes) -> None:
    """Send a file to its slot as a script does: the fields of the form, then the file, directly to S3."""
    assert slot["url"].startswith("https://moonbase-test.s3.")
    answer = requests.post(slot["url"], data=slot["fields"], files={"file": ("x", content)}, timeout=10)
    assert answer.status_code == 204


def test_a_rock_above_the_limit_is_uploaded_by_a_slot_and_downloaded_by_a_link(
    client: Client, key: str, limit: int
) -> None:
    version = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())}).json["version"]["id"]
    name, content = "say-1.0-1.linux-x86_64.rock", rock(payload=os.urandom(limit).hex())
    path = f"/api/1/{key}/upload_rock/{version}"
    refused = client.post(path, files={"rock_file": (name, content)})
    assert refused.status == 413
    assert "ask for an upload slot with POST /api/1/KEY/upload_slot" in refused.json["errors"][1]
    slot = client.post(f"/api/1/{key}/upload_slot").json
    send(slot, content)
    assert client.post(path, form={"upload": slot["upload"], "filename": name}).status == 200
    link = client.get(f"/{name}")
    assert link.status == 302
    assert requests.get(str(link.header("location")), timeout=10).content == content


def test_a_release_above_the_limit_is_uploaded_by_a_slot_and_downloaded_by_a_link(
    client: Client, alice: Account, limit: int
) -> None:
    draft("Alice/mymod")
    bearer, content = token(alice), zipped({**MOD, "sound.ogg": os.urandom(limit)})
    path = "/api/packages/Alice/mymod/releases/new/"
    refused = client.post(path, headers=bearer, form={"title": "x"}, files={"file": ("x.zip", content)})
    assert refused.status == 413
    assert "ask for an upload slot with POST /api/uploads/new/" in refused.json["description"]
    slot = client.post("/api/uploads/new/", headers=bearer).json
    send(slot, content)
    made = client.post(path, headers=bearer, form={"title": "Large", "upload": slot["upload"]})
    assert checked(client, made)["status"] == "SUCCESS"
    assert client.get("/packages/Alice/mymod/download/").status == 302
    assert fetched(client, "/packages/Alice/mymod/download/") == content


def test_a_screenshot_above_the_limit_is_uploaded_by_a_slot_and_downloaded_by_a_link(
    client: Client, alice: Account
) -> None:
    draft("Alice/mymod")
    bearer, content = token(alice), noise()
    path = "/api/packages/Alice/mymod/screenshots/new/"
    refused = client.post(path, headers=bearer, form={"title": "x"}, files={"file": ("x.png", content)})
    assert (refused.status, "POST /api/uploads/new/" in refused.json["description"]) == (413, True)
    slot = client.post("/api/uploads/new/", headers=bearer).json
    send(slot, content)
    made = client.post(path, headers=bearer, form={"title": "x", "upload": slot["upload"]}).json["screenshot"]
    link = client.get(made["url"].removeprefix("http://moonbase.test"))
    assert link.status == 302
    assert requests.get(str(link.header("location")), timeout=10).content.startswith(b"\x89PNG")


def noise() -> bytes:
    """An incompressible image, 1,400 pixels square."""
    written = io.BytesIO()
    Image.frombytes("RGB", (1400, 1400), os.urandom(1400 * 1400 * 3)).save(written, "PNG")
    return written.getvalue()


def test_the_largest_file_in_a_body_fits_into_a_lambda_response(client: Client, key: str, limit: int) -> None:
    """A file that is one byte larger is a link. Both are binary, so Lambda returns them in Base64."""
    version = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())}).json["version"]["id"]
    for size, status in ((limit, 200), (limit + 1, 302)):
        arch = f"test{status}"
        content = padded(size)
        slot = client.post(f"/api/1/{key}/upload_slot").json
        send(slot, content)
        form = {"upload": slot["upload"], "filename": f"say-1.0-1.{arch}.rock"}
        assert client.post(f"/api/1/{key}/upload_rock/{version}", form=form).status == 200
        answer = moonbase.app(rest_event("GET", f"/say-1.0-1.{arch}.rock"), None)
        assert answer["statusCode"] == status
        assert len(json.dumps(answer)) < LAMBDA


def padded(size: int) -> bytes:
    """A rock of exactly `size` bytes."""
    empty = len(stored(b""))
    return stored(os.urandom(size - empty))


def stored(payload: bytes) -> bytes:
    """A rock whose one file is not compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("say-1.0-1.rockspec", rockspec())
        archive.writestr("say.so", payload)
    return file.getvalue()
