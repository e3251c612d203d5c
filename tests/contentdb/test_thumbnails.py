"""Thumbnails and the files below /uploads."""

from io import BytesIO

import pytest
from PIL import Image

from chalicelib import settings
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import draft
from tests.contentdb.files import MOD, fetched, picture, released, shown, zipped
from tests.worlds import moto_only


@pytest.fixture
def stem(client: Client, alice: Account, bearer: dict[str, str]) -> str:
    """The file name, without extension, of a JPEG screenshot."""
    draft("Alice/mymod")
    return screenshot(client, bearer, picture("JPEG"), "a.jpg").partition(".")[0]


def screenshot(client: Client, bearer: dict[str, str], content: bytes, name: str) -> str:
    path = "/api/packages/Alice/mymod/screenshots/new/"
    reply = client.post(path, headers=bearer, form={"title": "x"}, files={"file": (name, content)})
    return str(reply.json["screenshot"]["url"]).rpartition("/")[2]


@pytest.mark.parametrize(("level", "size"), [(1, (100, 67)), (2, (270, 180)), (3, (350, 233)), (4, (1100, 520))])
def test_each_level_has_its_size(client: Client, stem: str, level: int, size: tuple[int, int]) -> None:
    reply = client.get(f"/thumbnails/{level}/{stem}.png")
    assert (reply.status, shown(reply.body)) == (200, ("PNG", size))


@pytest.mark.parametrize(
    ("extension", "kind", "content_type"),
    [("png", "PNG", "image/png"), ("jpg", "JPEG", "image/jpeg"), ("webp", "WEBP", "image/webp")],
)
def test_the_extension_determines_the_format(
    client: Client, stem: str, extension: str, kind: str, content_type: str
) -> None:
    reply = client.get(f"/thumbnails/2/{stem}.{extension}")
    assert (shown(reply.body), reply.header("Content-Type")) == ((kind, (270, 180)), content_type)
    assert reply.header("Cache-Control") == "public, max-age=604800"
    assert reply.header("X-Content-Type-Options") == "nosniff"


def test_a_thumbnail_is_the_middle_of_the_image(client: Client, stem: str) -> None:
    with Image.open(BytesIO(client.get(f"/thumbnails/2/{stem}.png").body)) as image:
        left, right = image.convert("RGB").getpixel((10, 90)), image.convert("RGB").getpixel((260, 90))
    assert (left[0] > 200, right[2] > 200) == (True, True)  # type: ignore[index]


def test_a_thumbnail_is_rendered_once(
    client: Client, stem: str, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get(f"/thumbnails/2/{stem}.png")
    monkeypatch.setattr("chalicelib.contentdb.media.images.thumbnail", None)
    calls.clear()
    again = client.get(f"/thumbnails/2/{stem}.png")
    assert again.body == first.body
    assert [call for call in calls if call != "GetObject"] == ["GetItem"]


def test_an_unchanged_image_is_304(client: Client, stem: str) -> None:
    for path in (f"/thumbnails/2/{stem}.png", f"/uploads/{stem}.jpg"):
        etag = client.get(path).header("ETag") or ""
        assert client.get(path, headers={"If-None-Match": etag}).status == 304


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16", "CMYK"])
def test_images_of_every_colour_mode_have_thumbnails(
    client: Client, alice: Account, bearer: dict[str, str], mode: str
) -> None:
    draft("Alice/mymod")
    image = Image.new("RGBA", (300, 200), (255, 0, 0, 128))
    image = (
        Image.new("I;16", (300, 200))
        if mode == "I;16"
        else image.convert("RGB" if mode == "CMYK" else mode if mode != "1" else "L").convert(mode)
    )
    written = BytesIO()
    image.save(written, "JPEG" if mode == "CMYK" else "PNG")
    stem = screenshot(client, bearer, written.getvalue(), "a.png").partition(".")[0]
    for extension in ("png", "jpg", "webp"):
        assert client.get(f"/thumbnails/1/{stem}.{extension}").status == 200


@pytest.mark.parametrize("level", ["0", "5", "x", "01", "youtube"])
def test_an_unknown_level_is_forbidden(client: Client, stem: str, level: str) -> None:
    reply = client.get(f"/thumbnails/{level}/{stem}.png")
    assert (reply.status, reply.json["success"]) == (403, False)


@pytest.mark.parametrize(
    "name", ["{stem}.gif", "{stem}", "{stem}.zip", "nothing.png", "..%2F..%2Fkey.png", "x" * 3000 + ".png"]
)
def test_an_unknown_image_is_not_found(client: Client, stem: str, name: str) -> None:
    reply = client.get(f"/thumbnails/1/{name.format(stem=stem)}")
    assert (reply.status, reply.json["success"]) == (404, False)


@pytest.mark.parametrize("name", ["{stem}.png", "{stem}", "{stem}.zip", "nothing.png", "..%2F..%2Fkey"])
def test_an_unknown_file_is_not_found(client: Client, stem: str, name: str) -> None:
    reply = client.get(f"/uploads/{name.format(stem=stem)}")
    assert (reply.status, reply.json["success"]) == (404, False)


def test_a_zip_has_no_thumbnail(client: Client, alice: Account, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    released(client, "Alice/mymod", bearer, zipped(MOD))
    url = client.get("/api/packages/Alice/mymod/releases/1").json["url"]
    name = url.rpartition("/")[2].replace(".zip", ".png")
    assert client.get(f"/thumbnails/1/{name}").status == 404


def test_a_head_request_returns_the_size_of_a_file(client: Client, stem: str) -> None:
    reply = client.head(f"/uploads/{stem}.jpg")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.header("Content-Length") == str(len(client.get(f"/uploads/{stem}.jpg").body))


@moto_only
def test_a_file_over_the_response_limit_comes_from_s3(client: Client, stem: str) -> None:
    content = client.get(f"/uploads/{stem}.jpg").body
    with settings.override(max_answer=1000):
        assert client.get(f"/uploads/{stem}.jpg").status == 302
        assert fetched(client, f"/uploads/{stem}.jpg") == content
