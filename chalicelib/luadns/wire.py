"""Responses for LuaDNS clients: zones, records, lists and errors. inputs.py parses their requests."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.luadns import auth, dyndns, engines, inputs, paging, record_json, records, secondaries, versions
from chalicelib.luadns.engines import DsRecord
from chalicelib.luadns.history import Difference
from chalicelib.luadns.paging import Page
from chalicelib.luadns.problems import Problem
from chalicelib.luadns.record_json import RecordView
from chalicelib.luadns.tables import Record, TsigKey, Zone, ZoneChange
from chalicelib.luadns.zone_views import ZoneView
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.request import Request
from chalicelib.web.response import Headers, Response, bytes_response

# The real server sends a 400 as an array. Of the clients only libcloud fails on it; people at curl want the documented
# object, and every other client can ask for it.
_OBJECT_CLIENTS = re.compile("(libcloud|curl)/")
_OBJECT_WANTED = re.compile(r"errors\s*=\s*\"?object", re.IGNORECASE)  # a parameter in the Accept header
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_MAX_STATES = 100  # of one change
_ZONE_COLUMNS: dict[str, Callable[[Zone], Any]] = {
    "id": lambda zone: zone.id,
    "name": lambda zone: zone.name,
    "synced": lambda zone: engines.current().synced(zone),
    "queries_count": lambda zone: zone.queries_count,
    "records_count": lambda zone: zone.records_count,
    "aliases_count": lambda zone: zone.aliases_count,
    "redirects_count": lambda zone: zone.redirects_count,
    "forwards_count": lambda zone: zone.forwards_count,
    "template_id": lambda zone: zone.template_id,
    "created_at": lambda zone: zone.created_at,
    "updated_at": lambda zone: zone.updated_at,
}
_RECORD_COLUMNS: dict[str, Callable[[RecordView], Any]] = {
    "id": lambda record: record.id,
    "name": lambda record: record.name,
    "type": lambda record: record.type,
    "content": lambda record: record.content,
    "ttl": lambda record: record.ttl,
    "zone_id": lambda record: 0,
    "external_id": lambda record: record.external_id or "",
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
}


def render_user(caller: Caller, repo_uri: str, deploy_key: str) -> Response:
    """Render an account's settings. `repo_uri` and `deploy_key` are empty if it has no repository, or no SSH key."""
    account = caller.account
    return render(
        {
            "email": account.email,
            "name": account.username,
            "repo_uri": repo_uri,
            "api_enabled": accounts.is_on(account, auth.SWITCH),
            "tfa": account.two_factor is not None,
            "deploy_key": f"{deploy_key}\n" if deploy_key else "",
            "ttl": settings.current().luadns_ttl,
            "package": "Free",
            "name_servers": list(engines.current().name_servers()),
        }
    )


def render_zones(request: Request, zones: Sequence[Zone]) -> Response:
    """Render a page of zones, without their records."""
    options = inputs.parse_options(request, _ZONE_COLUMNS)
    page = paging.paginate(zones, options, _ZONE_COLUMNS, lambda zone: f"{zone.name}.")
    return render([_zone(zone) for zone in page.items], _page_headers(page))


def render_zone(zone: Zone, found: Sequence[Record]) -> Response:
    """Render a zone with its records."""
    body = {
        **_zone(zone),
        "records": [record_json.fields_of(zone, record) for record in records.in_listing_order(found)],
    }
    return render(body, [("ETag", versions.of_zone(zone, body["synced"]))])


def render_view(view: ZoneView) -> Response:
    """Render a zone with its records, which are rendered already."""
    zone = _zone(view.zone)
    body = orjson.dumps(zone)[:-1] + b',"records":' + view.body + b"}\n"
    return _json(body, [("ETag", versions.of_zone(view.zone, zone["synced"]))])


def render_records(request: Request, view: ZoneView) -> Response:
    """Render a page of a zone's records."""
    options = inputs.parse_options(request, _RECORD_COLUMNS)
    if options == paging.EVERYTHING:
        page = Page(view.places, options, len(view.places))
        return _json(view.body + b"\n", [*_page_headers(page), ("ETag", versions.of_records(view.zone))])
    found = paging.paginate(view.listed, options, _RECORD_COLUMNS, lambda record: f"{record.name}\n{record.content}")
    body = b"[" + b",".join(view.rows[record.id] for record in found.items) + b"]\n"
    return _json(body, [*_page_headers(found), ("ETag", versions.of_records(view.zone))])


def render_changed(zone: Zone, changed: Sequence[Record]) -> Response:
    """Render the records that a request created, updated or deleted."""
    return render([record_json.fields_of(zone, record) for record in changed], [("ETag", versions.of_records(zone))])


def render_record(zone: Zone, record: Record) -> Response:
    """Render one record."""
    return render(record_json.fields_of(zone, record), [("ETag", versions.of_record(zone, record))])


def render_history(zone: Zone, found: Sequence[tuple[ZoneChange, Difference]]) -> Response:
    """Render changes of a zone, each with at most `_MAX_STATES` of the records that it removed or added."""
    return render([_change(*each) for each in found], [("ETag", versions.of_records(zone))])


def render_secondaries(zone: Zone) -> Response:
    """Render the secondary name servers of a zone."""
    return render([each._asdict() for each in secondaries.of_zone(zone)])


def render_tsig_keys(keys: Sequence[TsigKey]) -> Response:
    """Render TSIG keys without their secrets."""
    return render([_tsig_key(key) for key in keys])


def render_tsig_key(key: TsigKey, secret: str | None = None) -> Response:
    """Render one TSIG key, with its secret if it was just created."""
    return render({**_tsig_key(key), "secret": secret} if secret else _tsig_key(key))


def render_file(zone: Zone, found: Sequence[Record]) -> Response:
    """Render a zone as a BIND zone file."""
    from chalicelib.luadns import zonefile

    headers = [
        ("Content-Disposition", f'attachment; filename="{zone.name.replace("/", "-")}.zone"'),
        ("ETag", versions.of_records(zone)),
    ]
    return bytes_response(zonefile.export(zone, found).encode(), "text/dns; charset=utf-8", headers=headers)


def render_ds_records(zone: Zone, found: Sequence[DsRecord]) -> Response:
    """Render the DS records for the parent of a signed zone."""
    return render(
        [
            {
                "id": record.id,
                "key_tag": record.key_tag,
                "algorithm": record.algorithm,
                "digest_type": record.digest_type,
                "digest": record.digest,
                "public_key": record.public_key,
                "zone_id": int(zone.id),
                "created_at": record_json.render_time(record.created_at),
                "updated_at": record_json.render_time(record.updated_at),
            }
            for record in found
        ]
    )


def render_error(request: Request, error: CoreError) -> Response:
    """Render `{status, request_id, message}`; of a 400 its list of `errors`, unless the client wants the object."""
    status = status_of(error)
    headers = headers_of(error)
    if status == 401:
        headers.append(("WWW-Authenticate", 'Basic realm="Authorization Required"'))
    if dyndns.is_for(request):
        return dyndns.render([dyndns.word_of(error)], 200 if status == 400 else status, headers)
    if limit := error.detail.get("limit"):
        headers += _rate_headers(limit, 0, error.detail["reset"])
    body: dict[str, Any] = {"status": _TITLES[status], "request_id": request.id, "message": _message(error, status)}
    if isinstance(error, Invalid):
        body["errors"] = [_problem(problem) for problem in error.detail.get("problems", [Problem(None, error.message)])]
        if not _wants_object(request):
            return render(body["errors"], headers, status)
    return render(body, headers, status)


def finish(request: Request, response: Response) -> None:
    """Add rate limit headers to responses for a known key; the remaining requests include this one, as upstream."""
    rate = auth.rate()
    if request.caller and rate:
        credential = request.caller.credential
        remaining = rate.limit - int(credential.used) + 1
        response.headers += _rate_headers(rate.limit, remaining, int(credential.window) + rate.seconds)


def _zone(zone: Zone) -> dict[str, Any]:
    return {
        "id": int(zone.id),
        "name": zone.name,
        "synced": engines.current().synced(zone),
        "queries_count": int(zone.queries_count),
        "records_count": int(zone.records_count),
        "aliases_count": int(zone.aliases_count),
        "redirects_count": int(zone.redirects_count),
        "forwards_count": int(zone.forwards_count),
        "template_id": int(zone.template_id),
    }


def _change(change: ZoneChange, difference: Difference) -> dict[str, Any]:
    return {
        "serial": int(change.serial),
        "previous_serial": None if change.previous is None else int(change.previous),
        "action": change.action,
        "created_at": record_json.render_time(change.at),
        "removed_count": len(difference.removed),
        "added_count": len(difference.added),
        "removed": [state._asdict() for state in difference.removed[:_MAX_STATES]],
        "added": [state._asdict() for state in difference.added[:_MAX_STATES]],
    }


def _tsig_key(key: TsigKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "algorithm": key.algorithm,
        "scope": key.scope,
        "created_at": record_json.render_time(key.created_at),
    }


def _wants_object(request: Request) -> bool:
    """Whether the client wants the documented object of a 400 and not the array that the official clients parse."""
    return bool(
        _OBJECT_CLIENTS.match(request.user_agent) or _OBJECT_WANTED.search(request.headers.get("accept", "")[:1000])
    )


def _problem(problem: Problem) -> dict[str, Any]:
    """An error of the list. The gem 0.1 fails without `fieldNames`."""
    shown: dict[str, Any] = {"fieldNames": [problem.field] if problem.field else []}
    if problem.classification:
        shown["classification"] = problem.classification
    return {**shown, "message": problem.message}


def _message(error: CoreError, status: int) -> str:
    if status == 429:
        return _TITLES[429]
    if isinstance(error, NotFound) and not error.message.startswith(("Zone", "Record", "Repository", "Build")):
        return "Resource not found."
    return error.message


def _page_headers(page: Page[Any]) -> Headers:
    """Pagination headers. The documentation has X-Total-Pages, luadns-go reads X-Pages-Count."""
    return [
        ("X-Page", str(page.options.page)),
        ("X-Limit", str(page.options.limit)),
        ("X-Total-Pages", str(page.page_count)),
        ("X-Pages-Count", str(page.page_count)),
        ("X-Total-Count", str(page.total)),
    ]


def _rate_headers(limit: int, remaining: int, reset: int) -> Headers:
    return [
        ("X-Ratelimit-Limit", str(limit)),
        ("X-Ratelimit-Remaining", str(remaining)),
        ("X-Ratelimit-Reset", str(reset)),
    ]


def render(data: Any, headers: Headers | None = None, status: int = 200) -> Response:
    """Compact JSON with a line feed at the end: acme.sh parses it with regular expressions."""
    return _json(orjson.dumps(data) + b"\n", headers, status)


def _json(body: bytes, headers: Headers | None = None, status: int = 200) -> Response:
    return Response(status, body, [("Content-Type", "application/json"), *(headers or [])])
