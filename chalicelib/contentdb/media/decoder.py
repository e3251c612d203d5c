"""Decodes and encodes images, in the confined processes of `images`.

Memory is for one decoded image with most pixels, and not for a second one: it is converted and scaled in strips. What
is stored has been encoded here, so no bytes of the author's file but pixels get into it.
"""

import importlib
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from chalicelib.contentdb.media.formats import LEVELS, LONGEST_SIDE, MOST_PIXELS, TOO_COMPLEX, pack, unpack

Box = tuple[int, int, int, int]  # left, top, right, bottom

_EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}
_FORMATS = {extension: name for name, extension in _EXTENSIONS.items()}
# Modules that Pillow imports when it needs them, which a confined process cannot do.
_LATE_IMPORTS = ("ImageColor", "ImageFile", "ImageFilter", "ImagePalette", "MpoImagePlugin", "TiffImagePlugin")
_ROTATIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_STRIP = 1 << 20  # pixels that are converted at once
_LARGEST_PROFILE = 64 * 1024  # bytes of a colour profile; others are dropped


class _Refused(Exception):
    """The image is not acceptable; the message is for its author."""


def make() -> Callable[[bytes], bytes]:
    """Return the function that answers messages of `images` (see formats.pack)."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below
    for module in _LATE_IMPORTS:
        importlib.import_module(f"PIL.{module}")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for name, extension in _EXTENSIONS.items():
        sample = _saved(Image.new("RGB", (8, 8)), name, exif=exif)
        _thumbnail(sample, 1, extension)
        _stored(sample)
    return _answer


def _answer(message: bytes) -> bytes:
    arguments, content = unpack(message)
    try:
        if "level" in arguments:
            return pack({}, _thumbnail(content, arguments["level"], arguments["extension"]))
        return _stored(content)
    except _Refused as refused:
        return pack({"error": str(refused)}, b"")
    except MemoryError:
        return pack({"error": TOO_COMPLEX}, b"")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, KeyError):
        return pack({"error": "Uploaded image isn't actually an image"}, b"")


def _stored(content: bytes) -> bytes:
    """An author's image as it is stored: rotated as its EXIF data say, without metadata; its extension and size."""
    image = _opened(content)
    name = "JPEG" if isinstance(image, JpegImageFile) else image.format or "PNG"
    shown = image.copy() if max(image.size) <= LONGEST_SIDE else _reduced(image)
    if rotation := _ROTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1)):
        shown = shown.transpose(rotation)
    shown.info = {key: shown.info[key] for key in ("transparency", "gamma") if key in shown.info}
    profile = image.info.get("icc_profile") or b""
    quality = _quality_of(image) if shown.size == image.size else {}
    written = _saved(shown, name, icc_profile=profile if len(profile) <= _LARGEST_PROFILE else None, **quality)
    return pack({"extension": _EXTENSIONS[name], "width": shown.width, "height": shown.height}, written)


def _thumbnail(content: bytes, level: int, extension: str) -> bytes:
    """A stored image, scaled and cropped to the size of a level."""
    image, (width, height) = _opened(content), LEVELS[level]
    small = _scaled(image, _middle(image.size, width / height), (width, height))
    if extension == "jpg" and small.mode == "RGBA":
        small = _on_white(small)
    return _saved(small, _FORMATS[extension])


def _opened(content: bytes) -> Image.Image:
    """A decoded image; the size is checked before decoding."""
    if content[:4] == b"RIFF":  # the decoder allocates the whole picture when it is opened
        _check_size(*_webp_size(content))
    image = Image.open(BytesIO(content), formats=tuple(_EXTENSIONS))
    _check_size(image.width, image.height)
    image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: decodes a smaller image, if it is large enough
    image.load()
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _Refused(f"The image has more than {MOST_PIXELS // 1_000_000} million pixels")


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


def _middle(size: tuple[int, int], ratio: float) -> Box:
    """The largest box in the middle of an image with a ratio of width to height."""
    width, height = min(size[0], round(size[1] * ratio) or 1), min(size[1], round(size[0] / ratio) or 1)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


def _scaled(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """A part of an image as RGB, or RGBA if it is transparent, in another size."""
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    mode = "RGBA" if has_alpha else "RGB"
    left, top, right, bottom = box
    factor = max(1, min((right - left) // size[0], (bottom - top) // size[1]))
    rows = factor * max(1, _STRIP // (right - left) // factor)
    scaled = Image.new(mode, (-(-(right - left) // factor), -(-(bottom - top) // factor)))
    for y in range(top, bottom, rows):
        strip = image.crop((left, y, right, min(y + rows, bottom))).convert(mode)
        scaled.paste(strip.reduce(factor) if factor > 1 else strip, (0, (y - top) // factor))
    return scaled.resize(size, Resampling.LANCZOS)


def _reduced(image: Image.Image) -> Image.Image:
    """An image with a side that is too long, in the size in which it is stored."""
    ratio = LONGEST_SIDE / max(image.size)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    return _scaled(image, (0, 0, *image.size), size)


def _quality_of(image: Image.Image) -> dict[str, Any]:
    """The parameters with which a JPEG loses nothing when it is encoded again."""
    if not isinstance(image, JpegImageFile):
        return {}
    return {"qtables": image.quantization, "subsampling": get_sampling(image), "quality": -1}


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def _saved(image: Image.Image, name: str, **more: Any) -> bytes:
    written = BytesIO()
    image.save(written, name, **{"quality": 92, **more})  # PNG has no quality, and ignores it
    return written.getvalue()
