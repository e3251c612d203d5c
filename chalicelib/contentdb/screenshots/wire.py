"""Screenshots as JSON: parses requests, renders responses."""

from typing import Any

from chalicelib.contentdb.releases.wire import PURPOSE
from chalicelib.contentdb.screenshots.gallery import NewScreenshot
from chalicelib.contentdb.store.errors import malformed
from chalicelib.contentdb.store.tables import Package, Screenshot
from chalicelib.contentdb.store.values import iso
from chalicelib.core import uploads
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.web.bodies import parse_json
from chalicelib.web.request import Request

_LONGEST_TITLE = 100
_LARGEST_ID = 2**53


def parse(request: Request, caller: Caller) -> NewScreenshot:
    """The screenshot in a form; its file can be in an upload slot. Raises Invalid."""
    form = request.form
    title = form.get("title")
    if title is None:
        raise Invalid("Title is required in the POST data")
    if len(title) > _LONGEST_TITLE:
        raise Invalid(f"title must be at most {_LONGEST_TITLE} characters long")
    title, is_cover = title.strip() or "Untitled", _is_yes(form.get("is_cover_image"))
    if slot := form.get("upload"):
        return NewScreenshot(title, "upload.png", uploads.read(caller, PURPOSE, slot), is_cover, slot)
    file = form.file("file")
    if file is None:
        raise Invalid("Missing 'file' in multipart body")
    return NewScreenshot(title, file.filename, file.content, is_cover)


def parse_order(request: Request) -> list[int]:
    """The ids of screenshots in their order. Raises Invalid."""
    ids = _parse(request)
    if not isinstance(ids, list):
        raise Invalid("Expected order body to be array")
    return [_parse_id(number) for number in ids]


def parse_cover(request: Request) -> int:
    """The id of the cover image. Raises Invalid."""
    data = _parse(request)
    if not isinstance(data, dict) or "cover_image" not in data:
        raise Invalid("Expected body to be an object with cover_image as a key")
    return _parse_id(data["cover_image"])


def render(base_url: str, package: Package, shot: Screenshot) -> Value:
    """A screenshot; its URL is absolute, as on the API's page."""
    return {
        "id": int(shot.id),
        "order": int(shot.order),
        "title": shot.title,
        "url": f"{base_url}/uploads/{shot.file}",
        "width": int(shot.width),
        "height": int(shot.height),
        "approved": bool(shot.approved),
        "created_at": iso(shot.created_at),
        "is_cover_image": package.cover_image == shot.id,
    }


def _parse(request: Request) -> Any:
    """The body as JSON; single quotes are accepted too, because the example on the API's page has them."""
    try:
        return request.json
    except Invalid:
        pass
    try:
        return parse_json(request.body.replace(b"'", b'"'))
    except Invalid:
        raise malformed("The body must be JSON.") from None


def _parse_id(given: Any) -> int:
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 16:
        return int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given < _LARGEST_ID:
        raise Invalid(f'Invalid id, not a number: "{str(given)[:50]}"')
    return given


def _is_yes(text: str | None) -> bool:
    return (text or "").strip().lower() in ("yes", "true", "1", "on")
