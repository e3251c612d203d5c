"""Request bodies: JSON, urlencoded and multipart forms, within limits that keep a small request cheap."""

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from chalicelib.core.errors import Invalid

if TYPE_CHECKING:
    from multipart import MultipartSegment

SMALL = 64 * 1024  # bytes: the largest body of a route that does not declare another size, and of a form's fields
MAX_FIELDS = 1000
MAX_VALUES = 250_000  # of a JSON body: strings, numbers, lists and objects, about 60 bytes of memory each
MAX_DEPTH = 64  # of a JSON body

_CHUNK = 64 * 1024
_UNCOUNTED = bytes(byte for byte in range(256) if byte not in b'"[{,')
_STRING = re.compile(rb'"[^"]*+"?')


@dataclass(frozen=True)
class Upload:
    """A file in a form."""

    filename: str
    content: bytes
    content_type: str


@dataclass
class Form:
    """The fields and files of a form, with all values of a repeated name in order."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """The first value of a field."""
        return self.fields[name][0] if name in self.fields else None

    def file(self, name: str) -> Upload | None:
        """The first file with a name."""
        return self.files[name][0] if name in self.files else None


def parse_json(body: bytes) -> Any:
    """Parse a JSON body. Raises Invalid, also for more than `MAX_VALUES` values or `MAX_DEPTH` levels."""
    containers = body.count(b"[") + body.count(b"{")
    if containers + body.count(b",") > MAX_VALUES and _values(body) > MAX_VALUES:
        raise Invalid(f"The JSON has more than {MAX_VALUES:,} values.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON.") from None
    if containers > MAX_DEPTH and not _is_shallow(value):
        raise Invalid(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    return value


def parse_form(body: bytes, content_type: str) -> Form:
    """Parse a form by its content type; other content types give an empty form. Raises Invalid.

    The fields have at most `SMALL` bytes together; files can be as large as the body.
    """
    import multipart

    kind, options = multipart.parse_options_header(content_type)
    if kind == "multipart/form-data":
        return _multipart(body, options.get("boundary", ""))
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    return Form()


def _values(body: bytes) -> int:
    """The number of commas and containers in JSON, without those in strings, by passes of linear time and memory."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = unescaped.translate(None, _UNCOUNTED).replace(b'""', b"")
    return len(_STRING.sub(b"", marks))


def _is_shallow(value: Any) -> bool:
    """Whether the containers in `value` are nested at most `MAX_DEPTH` levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
        ]
    return not level


def _urlencoded(body: bytes) -> Form:
    form = Form()
    if len(body) > SMALL:
        raise _too_many_bytes()
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Invalid("The form cannot be read.") from None
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


def _multipart(body: bytes, boundary: str) -> Form:
    import multipart

    form, size = Form(), 0
    try:
        parser = multipart.PushMultipartParser(boundary, len(body), max_segment_count=MAX_FIELDS)
        for event in parser.parse_blocking(BytesIO(body).read, _CHUNK):
            if isinstance(event, multipart.MultipartSegment):
                segment, content = event, BytesIO()
            elif event is None:
                _add(form, segment, content.getvalue())
            else:
                content.write(event)
                size += len(event) if segment.filename is None else 0
                if size > SMALL:
                    raise _too_many_bytes()
    except (multipart.MultipartError, ValueError):
        raise Invalid("The multipart form cannot be read.") from None
    return form


def _add(form: Form, segment: "MultipartSegment", content: bytes) -> None:
    if segment.filename is None:
        form.fields.setdefault(segment.name, []).append(content.decode())  # RFC 7578: UTF-8
        return
    content_type = segment.content_type or ("application/octet-stream" if segment.filename else "text/plain")
    form.files.setdefault(segment.name, []).append(Upload(segment.filename, content, content_type))


def _too_many_bytes() -> Invalid:
    return Invalid(f"The fields of the form have more than {SMALL} bytes; files must be sent as files.")
