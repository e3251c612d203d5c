"""What LuaDNS clients send: ids, records, patterns, and how they want a list."""

from collections.abc import Iterable

from chalicelib.luadns import bodies
from chalicelib.luadns.bodies import Body
from chalicelib.luadns.bulk import Pattern
from chalicelib.luadns.paging import Options
from chalicelib.luadns.problems import VALIDATION, Problem, refusal
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import not_found
from chalicelib.web.request import Request

LARGEST_PAGE = 500
LARGEST_FILE = 2 * 1024 * 1024  # bytes of a zone file
_LARGEST_ID = 2**31 - 1
_LONGEST_EXTERNAL_ID = 255


def parse_zone_id(request: Request) -> int:
    """The zone's id in the path. Raises NotFound."""
    return _parse_id(request, "zone_id", "Zone")


def parse_record_id(request: Request) -> int:
    """The record's id in the path. Raises NotFound."""
    return _parse_id(request, "record_id", "Record")


def parse_new_zone(request: Request) -> tuple[str, int, list[Draft]]:
    """A zone's name, template and records. Raises Invalid."""
    body = bodies.read_object(request, "ZoneForm")
    name, template, members = body.required("name"), body.whole("template_id"), body.members("records")
    if not name and all(problem.field != "name" or problem.message == "Required" for problem in body.problems):
        body.problems.append(Problem("name", "invalid name", VALIDATION))
    body.finish()
    return name, template or 0, bodies.read_members(members or [], "RecordForm", _read_draft)


def parse_zone(request: Request) -> tuple[str, list[Draft] | None]:
    """A zone's name and, when there are some, its records. Raises Invalid."""
    body = bodies.read_object(request, "ZoneForm")
    name, members = body.required("name"), body.members("records")
    body.finish()
    return name, None if members is None else bodies.read_members(members, "RecordForm", _read_draft)


def parse_record(request: Request) -> Draft:
    """A record. Raises Invalid."""
    body = bodies.read_object(request, "RecordForm")
    draft = _read_draft(body)
    body.finish()
    return draft


def parse_records(request: Request) -> list[Draft]:
    """A list of records. Raises Invalid."""
    return bodies.read_list(request, "RecordForm", _read_draft)


def parse_patterns(request: Request) -> list[Pattern]:
    """A list of what to delete. Raises Invalid."""
    return bodies.read_list(request, "RecordForm", _read_pattern)


def parse_file(request: Request) -> tuple[str, bool]:
    """A zone file in the body, and whether it replaces all that there is (`?mode=replace`). Raises Invalid."""
    mode = request.argument("mode") or "merge"
    if mode not in ("merge", "replace"):
        raise refusal([Problem("mode", "mode must be merge or replace", VALIDATION)])
    try:
        return request.body.decode(), mode == "replace"
    except UnicodeDecodeError:
        raise refusal([Problem(None, "a zone file is UTF-8 text")]) from None


def parse_match(request: Request) -> str | None:
    """What the client knows of the zone or record that it changes."""
    return request.headers.get("if-match")


def parse_options(request: Request, columns: Iterable[str]) -> Options:
    """How a list is wanted. Raises Invalid."""
    problems: list[Problem] = []
    sort_by, order = request.argument("sort_by") or None, (request.argument("sort_order") or "asc").lower()
    if sort_by is not None and sort_by not in columns:
        problems.append(Problem("sort_by", f"sort_by must be one of {', '.join(columns)}", VALIDATION))
    if order not in ("asc", "desc"):
        problems.append(Problem("sort_order", "sort_order must be asc or desc", VALIDATION))
    limit = _parse_number(request, "limit", 0, LARGEST_PAGE, problems)
    page = _parse_number(request, "page", 1, _LARGEST_ID, problems)
    if problems:
        raise refusal(problems)
    return Options(request.argument("query") or "", sort_by, order == "desc", limit, page)


def _read_draft(body: Body) -> Draft:
    draft = Draft(
        name=body.required("name", empty=True),
        type=body.required("type").upper(),
        content=body.required("content"),
        ttl=body.whole("ttl"),
        external_id=body.text("external_id"),
    )
    if draft.external_id and len(draft.external_id) > _LONGEST_EXTERNAL_ID:
        body.problems.append(Problem("external_id", f"has more than {_LONGEST_EXTERNAL_ID} characters"))
    return draft


def _read_pattern(body: Body) -> Pattern:
    """What Go writes for fields that nobody set, an empty text and a zero, is any."""
    return Pattern(
        name=body.required("name", empty=True),
        type=(body.text("type") or "").upper() or None,
        content=body.text("content") or None,
        ttl=body.whole("ttl") or None,
    )


def _parse_id(request: Request, parameter: str, what: str) -> int:
    text = request.params[parameter]
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _LARGEST_ID):
        raise not_found(what)
    return int(text)


def _parse_number(request: Request, name: str, low: int, high: int, problems: list[Problem]) -> int:
    text = request.argument(name) or str(low)
    if text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high:
        return int(text)
    problems.append(Problem(name, f"{name} must be a number from {low} to {high}", VALIDATION))
    return low
