"""Request bodies: JSON, urlencoded and multipart forms."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import orjson

from chalicelib.core.errors import Invalid

MAX_FIELDS = 1000


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
    """Parse a JSON body. Raises Invalid."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not JSON.") from None


def parse_form(body: bytes, content_type: str) -> Form:
    """Parse a form by its content type; other content types give an empty form. Raises Invalid."""
    import multipart

    kind, options = multipart.parse_options_header(content_type)
    if kind == "multipart/form-data":
        return _multipart(body, options.get("boundary", ""))
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    return Form()


def _urlencoded(body: bytes) -> Form:
    form = Form()
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Invalid("The form cannot be read.") from None
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


def _multipart(body: bytes, boundary: str) -> Form:
    import multipart

    form = Form()
    try:
        parts = multipart.MultipartParser(
            BytesIO(body),
            boundary,
            content_length=len(body),
            part_limit=MAX_FIELDS,
            spool_limit=len(body) + 1,
            memory_limit=len(body) + 1,
        )
        for part in parts:
            if part.filename is None:
                form.fields.setdefault(part.name, []).append(part.raw.decode())  # RFC 7578: UTF-8
            else:
                upload = Upload(part.filename, part.raw, part.content_type or "")
                form.files.setdefault(part.name, []).append(upload)
    except (multipart.MultipartError, ValueError):
        raise Invalid("The multipart form cannot be read.") from None
    return form
