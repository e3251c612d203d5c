"""Images of authors: decoded with bounded memory and CPU, once for all requests, and never stored as they were sent."""

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chalicelib.contentdb.media import images
from chalicelib.contentdb.media.formats import LONGEST_SIDE, TOO_COMPLEX
from chalicelib.core.errors import Invalid
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import draft, refusal, token
from tests.contentdb.files import picture, shown
from tests.contentdb.test_thumbnails import screenshot

TRAIL = b"<script>alert(1)</script>PK\x03\x04"
SIDE = 6300  # 39.7 million pixels


def encoded(mode: str, size: tuple[int, int], kind: str = "PNG", **more: Any) -> bytes:
    written = BytesIO()
    Image.new(mode, size).save(written, kind, **more)
    return written.getvalue()


def after_comment(jpeg: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xfe" + (len(TRAIL) + 2).to_bytes(2) + TRAIL + jpeg[2:]


def with_text() -> bytes:
    info = PngInfo()
    info.add_text("Comment", TRAIL.decode())
    return picture(size=(64, 48), pnginfo=info)


def with_pages() -> bytes:
    return picture("WEBP", (64, 48), save_all=True, append_images=[Image.new("RGB", (64, 48))])


@pytest.fixture
def bearer(alice: Account) -> dict[str, str]:
    """The header that sends Alice's token."""
    return token(alice)


@pytest.fixture
def upload(client: Client, alice: Account, bearer: dict[str, str]) -> Callable[[bytes], Any]:
    """A function that uploads a screenshot and returns the response."""
    draft("Alice/mymod")
    path = "/api/packages/Alice/mymod/screenshots/new/"
    return lambda content: client.post(path, headers=bearer, form={"title": "x"}, files={"file": ("a.png", content)})


@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16"])
def test_a_png_with_most_pixels_is_scaled_down(mode: str) -> None:
    made = images.inspect(encoded(mode, (SIDE, SIDE)))
    assert (made.width, made.height) == (LONGEST_SIDE, LONGEST_SIDE)
    assert shown(made.content) == ("PNG", (LONGEST_SIDE, LONGEST_SIDE))


@pytest.mark.parametrize(
    ("size", "stored"), [((3840, 2160), (1920, 1080)), ((1920, 1920), (1920, 1920)), ((1_000_000, 3), (1920, 1))]
)
def test_a_stored_image_has_its_ratio(size: tuple[int, int], stored: tuple[int, int]) -> None:
    assert shown(images.inspect(encoded("L", size)).content)[1] == stored


def test_an_image_that_needs_too_much_memory_is_refused(upload: Callable[[bytes], Any]) -> None:
    reply = upload(encoded("RGB", (SIDE, SIDE), "WEBP", lossless=True, quality=0))
    assert (reply.status, reply.json) == (400, refusal(TOO_COMPLEX))


@pytest.mark.parametrize(
    "content",
    [
        picture(size=(64, 48)) + TRAIL,
        picture("JPEG", (64, 48)) + TRAIL,
        picture("WEBP", (64, 48)) + TRAIL,
        after_comment(picture("JPEG", (64, 48))),
        with_text(),
        picture("JPEG", (64, 48), icc_profile=TRAIL + bytes(100_000)),
    ],
    ids=["png", "jpeg", "webp", "jpeg comment", "png text", "large profile"],
)
def test_nothing_but_pixels_is_stored(client: Client, upload: Callable[[bytes], Any], content: bytes) -> None:
    reply = upload(content)
    assert reply.status == 200, reply.body
    stored = client.get(reply.json["screenshot"]["url"].removeprefix("http://moonbase.test")).body
    assert shown(stored) == (shown(content)[0], (64, 48))
    assert TRAIL not in stored


def test_of_several_pictures_the_first_is_stored() -> None:
    with Image.open(BytesIO(images.inspect(with_pages()).content)) as image:
        assert getattr(image, "n_frames", 1) == 1


def test_a_jpeg_keeps_its_quality() -> None:
    content = picture("JPEG", (640, 480), quality=60)
    assert abs(len(images.inspect(content).content) - len(content)) < len(content) // 10


def test_sixteen_requests_for_a_new_thumbnail_decode_it_once(
    client: Client, alice: Account, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft("Alice/mymod")
    stem = screenshot(client, bearer, picture(), "a.png").partition(".")[0]
    decoded: list[bytes] = []
    run = images.DECODER.run
    monkeypatch.setattr(images.DECODER, "run", lambda message: decoded.append(message) or run(message))
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda _: client.get(f"/thumbnails/2/{stem}.png"), range(16)))
    assert {(reply.status, shown(reply.body)) for reply in replies} == {(200, ("PNG", (270, 180)))}
    assert len(decoded) == 1


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.binary(max_size=40), st.integers(0, 600), st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_a_damaged_image_is_stored_or_refused(kind: str, damage: bytes, start: int, length: int) -> None:
    content = picture(kind, (32, 24))
    with suppress(Invalid):
        made = images.inspect(content[:start] + damage + content[start + length :])
        assert shown(made.content)[1] == (made.width, made.height)


def test_of_a_png_with_too_many_rows_the_first_are_stored() -> None:
    head = (32).to_bytes(4) * 2 + b"\x08\x06\x00\x00\x00"
    bomb = zlib.compress(bytes(50_000_000))
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")
    assert shown(images.inspect(content).content) == ("PNG", (32, 32))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_compressed_text_in_a_png_is_bounded(kind: bytes) -> None:
    text = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind] + zlib.compress(bytes(50_000_000), 9)
    content = picture(size=(64, 48))
    at = content.index(b"IDAT") - 4
    with suppress(Invalid):
        assert len(images.inspect(content[:at] + chunk(kind, text) + content[at:]).content) < 10_000
