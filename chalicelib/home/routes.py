"""The root of the host, which no upstream API uses, and the routes that all services share."""

import logging

from chalicelib import settings
from chalicelib.core import health, uploads
from chalicelib.core.errors import Busy
from chalicelib.core.identity import secret_format
from chalicelib.core.tables import CoreItem
from chalicelib.home import wire
from chalicelib.home.pages import welcome as welcome_page
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response
from chalicelib.web.route import ANONYMOUS, Scheme
from chalicelib.web.service import Service

UPLOADS = "/upload-slots"
_FORM = 64 * 1024  # bytes of a form in addition to its file

service = Service("home", wire.render_error)
_log = logging.getLogger(__name__)


def _largest_upload() -> int:
    return settings.current().max_body


@service.route("GET", "/", ANONYMOUS)
def welcome(request: Request) -> Response:
    """List the services of this server."""
    return welcome_page.render_welcome(request) if wants_html(request) else wire.render_welcome(request)


@service.route("GET", "/favicon.svg", ANONYMOUS, page=True)
def icon(request: Request) -> Response:
    """Return the icon."""
    return wire.render_icon()


@service.route("GET", "/.well-known/moonbase-keys", ANONYMOUS)
def describe_secrets(request: Request) -> Response:
    """Describe the format of keys, for programs that search for leaked ones."""
    return json_response(secret_format.description())


def _open_slot(request: Request) -> None:
    """Raise the error of a slot that cannot receive the file, before the file is read."""
    uploads.check_open(wire.slot_id(request), max(0, request.size - _FORM))


_SLOT = Scheme("id of an upload slot, in the query", _open_slot, anonymous=True)


@service.route("POST", UPLOADS, _SLOT, body=_largest_upload)
def send_file(request: Request, caller: None) -> Response:
    """Receive the file of an upload slot if there is no S3: a form with `file`, as for S3."""
    uploads.receive(wire.slot_id(request), wire.parse_file(request))
    return Response(204)


def _check_confinement() -> None:
    from chalicelib.core.confinement import self_test

    self_test.verify()


health.install("confinement", _check_confinement)


@service.route("GET", "/healthz", ANONYMOUS)
def check_health(request: Request) -> Response:
    """Return 200, or 503 if the database is unavailable; `?deep=1` runs thorough checks."""
    try:
        CoreItem.find("health", "health")
    except Exception as error:
        _log.exception("the database is unavailable")
        raise Busy("The database is unavailable.", retry_after=5) from error
    return wire.render_health(health.results() if request.query.get("deep") else None)
