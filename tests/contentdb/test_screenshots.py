"""Screenshots: creation, lists, order, cover, images and deletion."""

import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
import time_machine
from PIL import Image

from chalicelib import settings
from chalicelib.contentdb.media import formats
from chalicelib.core import events
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import NOT_JSON, change, draft, member, published, refusal, token
from tests.contentdb.files import picture, shown
from tests.contentdb.test_release_check import stored_blobs

PATH = "/api/packages/Alice/mymod/screenshots"


@pytest.fixture(autouse=True)
def _draft(alice: Account) -> None:
    draft("Alice/mymod")


def add(client: Client, headers: Mapping[str, str], content: bytes = b"", name: str = "a.png", **form: str) -> Reply:
    files = {"file": (name, content or picture(size=(64, 48)))}
    return client.post(f"{PATH}/new/", headers=headers, form=form or {"title": "A view"}, files=files)


def added(client: Client, headers: Mapping[str, str], content: bytes = b"", **more: str) -> dict[str, Any]:
    reply = add(client, headers, content, **more)
    assert reply.status == 200, reply.body
    made: dict[str, Any] = reply.json["screenshot"]
    return made


def list_screenshots(client: Client) -> Any:
    return client.get(f"{PATH}/").json


def test_a_screenshot_is_added_listed_and_read(client: Client, bearer: dict[str, str]) -> None:
    content = picture()
    reply = add(client, bearer, content)
    made = reply.json["screenshot"]
    assert reply.json == {"success": True, "screenshot": made}
    assert made == {
        "id": 1,
        "order": 1,
        "title": "A view",
        "url": made["url"],
        "width": 1280,
        "height": 720,
        "approved": True,
        "created_at": made["created_at"],
        "is_cover_image": False,
    }
    assert list_screenshots(client) == [made]
    assert client.get(f"{PATH}/1").json == made
    assert made["url"].startswith("http://moonbase.test/uploads/")
    image = client.get(made["url"].removeprefix("http://moonbase.test"))
    assert (image.status, image.body, image.header("Content-Type")) == (200, content, "image/png")


def test_the_package_contains_the_screenshot(client: Client, bearer: dict[str, str]) -> None:
    made = added(client, bearer)
    package = client.get("/api/packages/Alice/mymod/").json
    assert package["screenshots"] == [made["url"]]
    assert package["thumbnail"] == made["url"].replace("/uploads/", "/thumbnails/1/")


@pytest.mark.parametrize(
    ("kind", "name", "stored"),
    [
        ("PNG", "a.png", "png"),
        ("JPEG", "a.jpg", "jpg"),
        ("JPEG", "a.JPEG", "jpg"),
        ("WEBP", "a.webp", "webp"),
        ("JPEG", "a.png", "jpg"),
    ],
)
def test_the_format_of_an_image_is_detected_from_its_content(
    client: Client, bearer: dict[str, str], kind: str, name: str, stored: str
) -> None:
    url = added(client, bearer, picture(kind, (64, 48)), name=name)["url"]
    assert url.endswith(f".{stored}")
    assert shown(client.get(url.removeprefix("http://moonbase.test")).body) == (kind, (64, 48))


@pytest.mark.parametrize(("title", "stored"), [("", "Untitled"), ("  ", "Untitled"), (" A view ", "A view")])
def test_an_empty_title_is_untitled(client: Client, bearer: dict[str, str], title: str, stored: str) -> None:
    assert added(client, bearer, title=title)["title"] == stored


def test_a_new_screenshot_can_be_the_cover(client: Client, bearer: dict[str, str]) -> None:
    added(client, bearer)
    assert added(client, bearer, title="x", is_cover_image="true")["is_cover_image"] is True
    assert [shot["is_cover_image"] for shot in list_screenshots(client)] == [False, True]


def test_a_new_screenshot_is_the_last(client: Client, bearer: dict[str, str]) -> None:
    for _ in range(3):
        added(client, bearer)
    assert [(shot["id"], shot["order"]) for shot in list_screenshots(client)] == [(1, 1), (2, 2), (3, 3)]


def test_the_examples_of_the_api_page_set_the_order_and_the_cover(client: Client, bearer: dict[str, str]) -> None:
    for _ in range(3):
        added(client, bearer)
    headers = {**bearer, "Content-Type": "application/json"}
    reply = client.post(f"{PATH}/order/", headers=headers, body=b"[3, 1, 2]")
    assert (reply.status, reply.json) == (200, {"success": True})
    assert [shot["id"] for shot in list_screenshots(client)] == [3, 1, 2]
    for body, cover in ((b"{ 'cover_image': 2 }", 2), (b'{"cover_image": 1}', 1), (b'{"cover_image": "3"}', 3)):
        reply = client.post(f"{PATH}/cover-image/", headers=headers, body=body)
        assert (reply.status, reply.json) == (200, {"success": True})
        assert [shot["id"] for shot in list_screenshots(client) if shot["is_cover_image"]] == [cover]


def test_an_order_keeps_the_positions_of_other_screenshots(client: Client, bearer: dict[str, str]) -> None:
    for _ in range(3):
        added(client, bearer)
    client.post(f"{PATH}/order/", headers=bearer, json=["3"])
    assert [(shot["id"], shot["order"]) for shot in list_screenshots(client)] == [(1, 1), (3, 1), (2, 2)]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("order", {"1": 2}, "Expected order body to be array"),
        ("order", [1, 9], "Unable to find screenshot with id=9"),
        ("order", ["x"], 'Invalid id, not a number: "x"'),
        ("order", [True], 'Invalid id, not a number: "True"'),
        ("order", [None], 'Invalid id, not a number: "None"'),
        ("order", [2**60], 'Invalid id, not a number: "1152921504606846976"'),
        ("cover-image", [1], "Expected body to be an object with cover_image as a key"),
        ("cover-image", {"cover": 1}, "Expected body to be an object with cover_image as a key"),
        ("cover-image", {"cover_image": "x"}, 'Invalid id, not a number: "x"'),
        ("cover-image", {"cover_image": None}, 'Invalid id, not a number: "None"'),
        ("cover-image", {"cover_image": 9}, "Unable to find screenshot"),
    ],
)
def test_an_invalid_order_or_cover_is_rejected(
    client: Client, bearer: dict[str, str], path: str, body: Any, error: str
) -> None:
    before = [added(client, bearer), added(client, bearer)]
    reply = client.post(f"{PATH}/{path}/", headers=bearer, json=body)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert list_screenshots(client) == before


def test_a_body_that_is_not_json_is_rejected(client: Client, bearer: dict[str, str]) -> None:
    for path in ("order", "cover-image"):
        reply = client.post(f"{PATH}/{path}/", headers=bearer, body=b"{'")
        assert (reply.status, reply.json) == (400, NOT_JSON)


def test_a_deleted_screenshot_leaves_no_files_and_no_cover(client: Client, bearer: dict[str, str]) -> None:
    made = added(client, bearer, title="x", is_cover_image="1")
    path = made["url"].removeprefix("http://moonbase.test")
    assert client.get(path.replace("/uploads/", "/thumbnails/2/")).status == 200
    assert len(stored_blobs()) == 2
    reply = client.request("DELETE", f"{PATH}/1/", headers=bearer)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert (list_screenshots(client), stored_blobs()) == ([], [])
    assert client.get(path).status == client.get(path.replace("/uploads/", "/thumbnails/2/")).status == 404
    assert client.get("/api/packages/Alice/mymod/").json["thumbnail"] is None


@pytest.mark.parametrize("number", ["9", "99999999999999999"])
def test_an_unknown_screenshot_is_not_found(client: Client, number: str) -> None:
    for method in ("GET", "DELETE"):
        reply = client.request(method, f"{PATH}/{number}/")
        assert (reply.status, reply.json) == (404, refusal("Screenshot not found"))


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b"<html><script>alert(1)</script></html>", "a.png", "Uploaded image isn't actually an image"),
        (b"\x89PNG\r\n\x1a\n", "a.png", "Uploaded image isn't actually an image"),
        (picture()[:200], "a.png", "Uploaded image isn't actually an image"),
        (picture("JPEG")[:2000], "a.jpg", "Uploaded image isn't actually an image"),
        (picture("GIF", mode="L"), "a.png", "Uploaded image isn't actually an image"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X", "a.webp", "Uploaded image isn't actually an image"),
        (b"RIFF", "a.webp", "Uploaded image isn't actually an image"),
        (picture(), "a.gif", "Please upload a PNG, JPEG, or WebP image file"),
        (picture(), "png", "Please upload a PNG, JPEG, or WebP image file"),
        (b"<svg/>", "a.svg", "Please upload a PNG, JPEG, or WebP image file"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_file_that_is_not_an_image_is_rejected(
    client: Client, bearer: dict[str, str], content: bytes, name: str, error: str
) -> None:
    reply = add(client, bearer, content, name)
    assert (reply.status, reply.json) == (400, refusal(error))
    assert (list_screenshots(client), stored_blobs()) == ([], [])


def png_bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few kilobytes with `width` times `height` pixels."""
    packed = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    data = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x01\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content",
    [
        png_bomb(16_000, 16_000),
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\xff\x3f\x00",
    ],
    ids=["png", "webp"],
)
def test_an_image_bomb_is_rejected_before_it_is_decoded(client: Client, bearer: dict[str, str], content: bytes) -> None:
    name = "a.webp" if content[:4] == b"RIFF" else "a.png"
    reply = add(client, bearer, content, name)
    assert (reply.status, reply.json) == (400, refusal("The image has more than 40 million pixels"))
    assert stored_blobs() == []


def test_an_image_over_the_size_limit_is_rejected(client: Client, bearer: dict[str, str]) -> None:
    reply = add(client, bearer, picture() + bytes(formats.LARGEST))
    assert (reply.status, reply.json) == (400, refusal("The image is larger than 16 MB"))


@pytest.mark.parametrize(
    ("form", "files", "error"),
    [
        ({}, {"file": ("a.png", b"x")}, "Title is required in the POST data"),
        ({"title": "x"}, {}, "Missing 'file' in multipart body"),
        ({"title": "x"}, {"image": ("a.png", b"x")}, "Missing 'file' in multipart body"),
        ({"title": "x" * 101}, {"file": ("a.png", b"x")}, "title must be at most 100 characters long"),
    ],
)
def test_each_missing_or_invalid_field_has_its_own_error(
    client: Client, bearer: dict[str, str], form: dict[str, str], files: Any, error: str
) -> None:
    reply = client.post(f"{PATH}/new/", headers=bearer, form=form, files=files)
    assert (reply.status, reply.json) == (400, refusal(error))


def test_a_setting_requires_a_minimum_size(client: Client, bearer: dict[str, str]) -> None:
    with settings.override(contentdb_screenshot_width=920, contentdb_screenshot_height=517):
        reply = add(client, bearer, picture(size=(919, 600)))
        error = "Screenshot is too small, it should be at least 920 by 517 pixels"
        assert (reply.status, reply.json) == (429, refusal(error))
        assert add(client, bearer, picture(size=(920, 517))).status == 200


def test_a_package_can_have_twenty_new_screenshots_in_half_an_hour(client: Client, bearer: dict[str, str]) -> None:
    content = picture(size=(4, 4))
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        for _ in range(20):
            assert add(client, bearer, content).status == 200
        reply = add(client, bearer, content)
        assert (reply.status, reply.json) == (429, refusal("Too many requests, please wait before trying again"))
        clock.shift(1801)
        assert add(client, bearer, content).status == 200


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("POST", "new/", "create"),
        ("DELETE", "1/", "delete"),
        ("POST", "order/", "change"),
        ("POST", "cover-image/", "change"),
    ],
)
def test_another_author_cannot_change_screenshots(
    client: Client, bearer: dict[str, str], bob: Account, method: str, path: str, verb: str
) -> None:
    added(client, bearer)
    reply = client.request(method, f"{PATH}/{path}", headers=token(bob), body=b"[1]")
    assert (reply.status, reply.json) == (403, refusal(f"You do not have the permission to {verb} screenshots"))
    reply = client.request(method, f"{PATH}/{path}", body=b"[1]")
    assert reply.status == 401
    assert len(list_screenshots(client)) == 1


def test_a_members_screenshot_of_an_approved_package_needs_approval(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/mymod", state="APPROVED")
    assert added(client, bearer)["approved"] is False
    assert [shot["approved"] for shot in list_screenshots(client)] == [False]
    assert client.get("/api/packages/Alice/mymod/").json["screenshots"] == []


def test_an_approver_approves_a_members_screenshot(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/lamps")
    lamps, approver = "/api/packages/Alice/lamps", token(member("carol", "APPROVER"))
    files = {"file": ("a.png", picture())}
    made = client.post(f"{lamps}/screenshots/new/", headers=bearer, form={"title": "A"}, files=files).json["screenshot"]
    path = f"{lamps}/screenshots/{made['id']}/approve/"
    reply = client.post(path, headers=bearer)
    assert (reply.status, reply.json) == (403, refusal("You do not have the permission to approve screenshots"))
    assert [event.listed for event in events.unnumbered()][-1] is False
    for _ in range(2):  # a repeated approval changes nothing
        reply = client.post(path, headers=approver)
        assert (reply.status, reply.json) == (200, {"success": True, "screenshot": {**made, "approved": True}})
    assert client.get(f"{lamps}/").json["screenshots"] == [reply.json["screenshot"]["url"]]
    event = events.unnumbered()[-1]
    file = made["url"].rpartition("/")[2]
    assert (event.kind, event.action, event.actor, event.listed) == ("screenshot", "publish", "carol", True)
    assert [each.name for each in event.files] == [file]
    unknown = client.post(f"{lamps}/screenshots/99/approve/", headers=approver)
    assert (unknown.status, unknown.json["error"]) == (404, "Screenshot not found")


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112], found[0x010F] = orientation, "Camera of Alice"
    return found


def test_exif_data_is_removed_after_the_image_is_rotated(client: Client, bearer: dict[str, str]) -> None:
    made = added(client, bearer, picture("JPEG", (64, 48), exif=exif(6)), name="a.jpg")
    assert (made["width"], made["height"]) == (48, 64)
    content = client.get(made["url"].removeprefix("http://moonbase.test")).body
    assert b"Camera" not in content
    with Image.open(BytesIO(content)) as image:
        assert (image.format, image.size, dict(image.getexif())) == ("JPEG", (48, 64), {})
        top, bottom = image.convert("RGB").getpixel((24, 8)), image.convert("RGB").getpixel((24, 56))
    assert [channel > 200 for channel in (top[0], bottom[2])] == [True, True]  # type: ignore[index]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_data_of_other_formats_is_removed(client: Client, bearer: dict[str, str], kind: str) -> None:
    made = added(client, bearer, picture(kind, (64, 48), exif=exif(1)), name=f"a.{kind.lower()}")
    content = client.get(made["url"].removeprefix("http://moonbase.test")).body
    assert b"Camera" not in content
    assert shown(content) == (kind, (64, 48))
