"""The root of the host, which no upstream API uses, and the routes that all services share."""

import logging

from chalicelib import settings
from chalicelib.core import health, uploads
from chalicelib.core.errors import Busy
from chalicelib.core.tables import CoreItem
from chalicelib.home import wire
from chalicelib.home.pages import welcome as welcome_page
from chalicelib.web.html import wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Scheme
from chalicelib.web.service import Service

UPLOADS = "/upload-slots"

service = Service("home", wire.render_error)
_SLOT = Scheme("id of the slot, in the form", None, anonymous=True)
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


@service.route("POST", UPLOADS, _SLOT, body=_largest_upload)
def send_file(request: Request) -> Response:
    """Receive the file of an upload slot if there is no S3: a form with `slot` and `file`, as for S3."""
    uploads.receive(*wire.parse_slot(request))
    return Response(204)


@service.route("GET", "/healthz", ANONYMOUS)
def check_health(request: Request) -> Response:
    """Return 200, or 503 if the database is unavailable; `?deep=1` runs thorough checks."""
    try:
        CoreItem.find("health", "health")
    except Exception as error:
        _log.exception("the database is unavailable")
        raise Busy("The database is unavailable.", retry_after=5) from error
    return wire.render_health(health.results() if request.query.get("deep") else None)
