"""Uploaded images: detected by content, stripped of metadata, and scaled to thumbnails."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from chalicelib.core.errors import Invalid

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = ("png", "jpg", "webp")
EXTENSIONS = (*KINDS, "jpeg")
LEVELS = {1: (100, 67), 2: (270, 180), 3: (350, 233), 4: (1100, 520)}
LARGEST = 16 * 1024 * 1024  # bytes
MOST_PIXELS = 40_000_000
_FORMATS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_METADATA = ("exif", "xmp", "XML:com.adobe.xmp", "comment", "photoshop")


@dataclass(frozen=True)
class Picture:
    """A valid image: its bytes, the extension for its format, its size in pixels."""

    content: bytes
    extension: str
    width: int
    height: int


def inspect(content: bytes) -> Picture:
    """The picture in some bytes. Raises Invalid for other content and for an image with too many pixels."""
    image = _open(content)
    has_metadata = any(name in image.info for name in _METADATA) or bool(getattr(image, "text", None))
    if has_metadata or image.getexif():
        content, image = _without_metadata(image)
    return Picture(content, _FORMATS[image.format or "PNG"], image.width, image.height)


def thumbnail(content: bytes, level: int, extension: str) -> bytes:
    """A stored picture scaled and cropped to a level's size, as png, jpg or webp."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    image = _open(content)
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    whole = image.convert("RGBA" if has_alpha else "RGB")
    small = ImageOps.fit(whole, LEVELS[level], Resampling.LANCZOS)
    if has_alpha and extension == "jpg":
        small = _on_white(small)
    return _saved(small, {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[extension])


def _open(content: bytes) -> "Image":
    """A decoded image. Raises Invalid; the size is checked before decoding."""
    from PIL import Image, UnidentifiedImageError

    if len(content) > LARGEST:
        raise Invalid(f"The image is larger than {LARGEST // 1024 // 1024} MB")
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below
    try:
        if content[:4] == b"RIFF":  # the decoder allocates the whole picture when it is opened
            _check_size(*_webp_size(content))
        image = Image.open(BytesIO(content), formats=tuple(_FORMATS))
        _check_size(image.width, image.height)
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError) as error:
        raise Invalid("Uploaded image isn't actually an image") from error
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Invalid(f"The image has more than {MOST_PIXELS // 1_000_000} million pixels")


def _webp_size(content: bytes) -> tuple[int, int]:
    """Width and height by the first chunk of a WebP file (RFC 9649). Raises ValueError or struct.error."""
    kind = content[12:16]
    if content[8:12] != b"WEBP" or kind not in (b"VP8 ", b"VP8L", b"VP8X"):
        raise ValueError("no WebP file")
    if kind == b"VP8X":
        return 1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _without_metadata(image: "Image") -> tuple[bytes, "Image"]:
    """The image without metadata, which can contain the author's location, and rotated as its EXIF says."""
    from PIL import ImageOps

    rotated = ImageOps.exif_transpose(image)
    clean = rotated.copy()
    clean.info = {name: value for name, value in image.info.items() if name in ("transparency", "icc_profile", "gamma")}
    content = _saved(clean, image.format or "PNG", icc_profile=clean.info.get("icc_profile"))
    clean.format = image.format
    return content, clean


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _saved(image: "Image", kind: str, **more: Any) -> bytes:
    quality: dict[str, Any] = {} if kind == "PNG" else {"quality": 92}
    written = BytesIO()
    image.save(written, kind, **quality, **more)
    return written.getvalue()
