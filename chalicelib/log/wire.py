"""The transparency log as HTTP: parses paths, renders text, bytes and JSON."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.core.errors import CoreError, Invalid, NotFound
from chalicelib.core.transparency import entries, keys
from chalicelib.core.transparency.keys import PREFIX
from chalicelib.core.transparency.notes import in_base64
from chalicelib.core.transparency.proofs import Inclusion
from chalicelib.core.transparency.tables import LogEntry, LogHead, LogKey
from chalicelib.core.transparency.tree import WIDTH
from chalicelib.web.conditional import etag_of, not_modified
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.html import error_page, wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response

_MOST = 1000  # entries of one work in a response
_FOREVER = ("Cache-Control", "public, max-age=31536000, immutable")
_BRIEFLY = ("Cache-Control", "public, max-age=2")
_CORS = ("Access-Control-Allow-Origin", "*")
_TEXT = "text/plain; charset=utf-8"
_POSITION = re.compile(r"(?:x[0-9]{3}/){0,3}[0-9]{3}")
_PARTIAL = re.compile(r"(?P<position>.*)\.p/(?P<width>[1-9][0-9]{0,2})")


@dataclass(frozen=True)
class WantedTile:
    """A tile that a client asks for; `level` is None for entries."""

    level: int | None
    position: int
    width: int


def parse_tile(request: Request) -> WantedTile:
    """The tile at the path of a request. Raises NotFound for a path that the specification does not allow."""
    name = "/".join(request.params[part] for part in "abcde" if part in request.params)
    width = WIDTH
    if partial := _PARTIAL.fullmatch(name):
        name, width = partial["position"], int(partial["width"])
    level = request.params["level"]
    is_level = level.isascii() and level.isdigit() and int(level[:3]) < 64 and str(int(level[:3])) == level
    position = "".join(name.split("/")).replace("x", "") if _POSITION.fullmatch(name) else ""
    if not position or name.startswith("x000/") or width > WIDTH or not (is_level or level == "entries"):
        raise NotFound("The log has no such tile.")
    if name != path_of(int(position)) or (partial and width == WIDTH):
        raise NotFound("The log has no such tile.")
    return WantedTile(int(level) if is_level else None, int(position), width)


def path_of(position: int) -> str:
    """The position of a tile in a path: groups of three digits, all but the last one after an `x`."""
    digits = str(position)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def parse_number(request: Request, name: str) -> int:
    """A number in the query. Raises Invalid."""
    text = request.argument(name) or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise Invalid(f"{name} must be a whole number.", field=name)
    return int(text)


def work_of(request: Request) -> str:
    """The name of a work: of one part, or `OWNER/NAME`."""
    return "/".join(request.params[part] for part in ("owner", "name") if part in request.params)


def render_log(request: Request, head: LogHead | None, known: Sequence[LogKey]) -> Response:
    """The log in a JSON object. `keys` are verifier keys of signed notes, newest first."""
    signing = keys.active([*known])
    data = {
        "origin": signing[-1].name if signing else keys.default_origin(),
        "size": int(head.size) if head else 0,
        "keys": [_key(key) for key in reversed(known)],
        "checkpoint": f"{request.base_url}{PREFIX}/checkpoint",
        "tiles": f"{request.base_url}{PREFIX}/tile/",
    }
    return json_response(data, headers=[_BRIEFLY, _CORS])


def render_checkpoint(request: Request, note: str) -> Response:
    """A checkpoint as text."""
    return _conditional(request, bytes_response(note.encode(), _TEXT, headers=[_BRIEFLY, _CORS]))


def render_tile(request: Request, hashes: bytes) -> Response:
    """The hashes of a tile, one after the other."""
    return _conditional(request, bytes_response(hashes, "application/octet-stream", headers=[_FOREVER, _CORS]))


def render_bundle(request: Request, bundle: bytes) -> Response:
    """Entries, each after its length in two bytes."""
    return render_tile(request, bundle)


def render_inclusion(request: Request, proof: Inclusion) -> Response:
    """A proof by C2SP tlog-proof; with `format=json` in the query as JSON, with the entry and its files readable."""
    headers = [_BRIEFLY, _CORS]
    if request.argument("format") != "json":
        return bytes_response(proof.text.encode(), _TEXT, headers=headers)
    data = {
        "index": proof.index,
        "entry": json.loads(proof.entry) | {"files": proof.files},
        "body": in_base64(proof.entry),
        "proof": [in_base64(each) for each in proof.hashes],
        "checkpoint": proof.checkpoint,
    }
    return json_response(data, headers=headers)


def render_consistency(request: Request, hashes: Iterable[bytes], note: str) -> Response:
    """A proof of consistency in a JSON object."""
    data = {"proof": [in_base64(each) for each in hashes], "checkpoint": note}
    return json_response(data, headers=[_BRIEFLY, _CORS])


def render_history(request: Request, found: Iterable[LogEntry]) -> Response:
    """The first 1,000 entries of a work, each with its index. Raises NotFound without any."""
    decoded = ((entry, json.loads(entry.body)) for entry in islice(found, _MOST))
    rows: list[dict[str, Any]] = [
        {"index": int(entry.id), **body, "files": entries.files_of(entry)} for entry, body in decoded if "name" in body
    ]
    if not rows:
        raise NotFound("The log has no entry of this work.")
    return json_response(rows, headers=[_BRIEFLY, _CORS])


def render_error(request: Request, error: CoreError) -> Response:
    """`{"message": ...}`; a page for browsers."""
    if wants_html(request):
        return error_page(request, error)
    return json_response({"message": error.message}, status_of(error), [*headers_of(error), _CORS])


def _key(key: LogKey) -> dict[str, Any]:
    retired = key.retired_at.isoformat() if key.retired_at else None
    return {"key": keys.verifier(key).text, "created_at": key.created_at.isoformat(), "retired_at": retired}


def _conditional(request: Request, response: Response) -> Response:
    response.headers.append(("ETag", etag_of(response.body)))
    return not_modified(request, response)
