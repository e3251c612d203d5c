"""Parsers for the requests of LuaDNS clients: ids, zones, records, deletion patterns and list options."""

from collections.abc import Iterable

from chalicelib.luadns import bodies, tsig_keys
from chalicelib.luadns.bodies import Body
from chalicelib.luadns.bulk import Pattern
from chalicelib.luadns.paging import ListOptions
from chalicelib.luadns.problems import REQUIRED, VALIDATION, Problem, invalid
from chalicelib.luadns.records import Draft
from chalicelib.luadns.secondaries import DNS_PORT, Secondary
from chalicelib.luadns.store import not_found
from chalicelib.web.request import Request

MAX_PAGE_SIZE = 500
MAX_FILE_BYTES = 1024 * 1024  # of a zone file
MAX_CHANGES = 20  # of a zone, in one response
_MAX_ID = 2**31 - 1
_MAX_SERIAL = 2**32 - 1
_MAX_EXTERNAL_ID = 255  # characters


def parse_zone_id(request: Request) -> int:
    """Return the zone id in the path. Raises NotFound."""
    return _parse_id(request, "zone_id", "Zone")


def parse_record_id(request: Request) -> int:
    """Return the record id in the path. Raises NotFound."""
    return _parse_id(request, "record_id", "Record")


def parse_new_zone(request: Request) -> tuple[str, int, list[Draft]]:
    """Return a zone's name, template id (0 for none) and records. Raises Invalid."""
    body = bodies.read_object(request, "ZoneForm")
    name, template, items = body.required("name"), body.integer("template_id"), body.array("records")
    if not name and all(problem.field != "name" or problem.message == "Required" for problem in body.problems):
        body.problems.append(Problem("name", "invalid name", VALIDATION))
    body.raise_problems()
    return name, template or 0, bodies.read_items(request, items or [], "RecordForm", _read_draft)


def parse_zone(request: Request) -> tuple[str, list[Draft] | None]:
    """Return a zone's name and its records; None if the body has no records. Raises Invalid."""
    body = bodies.read_object(request, "ZoneForm")
    name, items = body.required("name"), body.array("records")
    body.raise_problems()
    return name, None if items is None else bodies.read_items(request, items, "RecordForm", _read_draft)


def parse_record(request: Request) -> Draft:
    """Return a record. Raises Invalid."""
    body = bodies.read_object(request, "RecordForm")
    draft = _read_draft(body)
    body.raise_problems()
    return draft


def parse_records(request: Request) -> list[Draft]:
    """Return a list of records. Raises Invalid."""
    return bodies.read_list(request, "RecordForm", _read_draft)


def parse_patterns(request: Request) -> list[Pattern]:
    """Return the patterns of the records to delete. Raises Invalid."""
    return bodies.read_list(request, "RecordForm", _read_pattern)


def parse_file(request: Request) -> tuple[str, bool]:
    """Return the zone file in the body, and whether it replaces the whole zone (`?mode=replace`). Raises Invalid."""
    mode = request.argument("mode") or "merge"
    if mode not in ("merge", "replace"):
        raise invalid([Problem("mode", "mode must be merge or replace", VALIDATION)])
    try:
        return request.body.decode("utf-8-sig"), mode == "replace"  # without a byte order mark
    except UnicodeDecodeError:
        raise invalid([Problem(None, "a zone file is UTF-8 text")]) from None


def parse_serial(request: Request) -> int:
    """Return the serial in the body. Raises Invalid."""
    body = bodies.read_object(request, "RevertForm")
    serial = body.integer("serial")
    if serial is None and not body.problems:
        body.problems.append(Problem("serial", "Required", REQUIRED))
    body.raise_problems()
    return serial or 0


def parse_secondaries(request: Request) -> list[Secondary]:
    """Return the secondaries of a zone. Raises Invalid."""
    return bodies.read_list(request, "SecondaryForm", _read_secondary)


def parse_tsig_key(request: Request) -> tuple[str, str, str]:
    """Return the name, the algorithm and the scope of a new TSIG key. Raises Invalid."""
    body = bodies.read_object(request, "TsigKeyForm")
    name, algorithm, scope = body.required("name"), body.text("algorithm"), body.required("scope")
    body.raise_problems()
    return name, algorithm or tsig_keys.DEFAULT_ALGORITHM, scope


def parse_history_range(request: Request) -> tuple[int, int | None]:
    """Return the number of changes, and the serial before which they are. Raises Invalid."""
    problems: list[Problem] = []
    limit = _parse_number(request, "limit", 0, MAX_CHANGES, problems)
    before = _parse_number(request, "before", 0, _MAX_SERIAL, problems)
    if problems:
        raise invalid(problems)
    return limit or MAX_CHANGES, before or None


def parse_match(request: Request) -> str | None:
    """Return the If-Match header."""
    return request.headers.get("if-match")


def parse_options(request: Request, columns: Iterable[str]) -> ListOptions:
    """Return the query, sort order and page of a list request. Raises Invalid."""
    problems: list[Problem] = []
    sort_by, order = request.argument("sort_by") or None, (request.argument("sort_order") or "asc").lower()
    if sort_by is not None and sort_by not in columns:
        problems.append(Problem("sort_by", f"sort_by must be one of {', '.join(columns)}", VALIDATION))
    if order not in ("asc", "desc"):
        problems.append(Problem("sort_order", "sort_order must be asc or desc", VALIDATION))
    limit = _parse_number(request, "limit", 0, MAX_PAGE_SIZE, problems)
    page = _parse_number(request, "page", 1, _MAX_ID, problems)
    if problems:
        raise invalid(problems)
    return ListOptions(request.argument("query") or "", sort_by, order == "desc", limit, page)


def _read_draft(body: Body) -> Draft:
    draft = Draft(
        name=body.required("name", empty=True),
        type=body.required("type").upper(),
        content=body.required("content"),
        ttl=body.integer("ttl") or None,  # Go serializes an unset TTL as 0
        external_id=body.text("external_id"),
    )
    if draft.external_id and len(draft.external_id) > _MAX_EXTERNAL_ID:
        body.problems.append(Problem("external_id", f"has more than {_MAX_EXTERNAL_ID} characters"))
    return draft


def _read_secondary(body: Body) -> Secondary:
    port, notify = body.integer("port"), body.boolean("notify")
    return Secondary(
        address=body.required("address"),
        port=DNS_PORT if port is None else port,
        key=body.text("key") or None,
        notify=notify is not False,
    )


def _read_pattern(body: Body) -> Pattern:
    """A pattern. An empty string and a zero match any value: Go serializes unset fields so."""
    return Pattern(
        name=body.required("name", empty=True),
        type=(body.text("type") or "").upper() or None,
        content=body.text("content") or None,
        ttl=body.integer("ttl") or None,
    )


def _parse_id(request: Request, parameter: str, resource: str) -> int:
    text = request.params[parameter]
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_ID):
        raise not_found(resource)
    return int(text)


def _parse_number(request: Request, name: str, low: int, high: int, problems: list[Problem]) -> int:
    text = request.argument(name) or str(low)
    if text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high:
        return int(text)
    problems.append(Problem(name, f"{name} must be a number from {low} to {high}", VALIDATION))
    return low
