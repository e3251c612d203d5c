"""The root of the host, which no upstream API claims, and what all services share there."""

from chalicelib.core import uploads
from chalicelib.home import wire
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.service import Service

service = Service("home", wire.render_error)


@service.route("GET", "/")
def welcome(request: Request) -> Response:
    """What this server offers."""
    return wire.render_welcome(request)


@service.route("POST", uploads.PATH)
def send_file(request: Request) -> Response:
    """Where an upload slot's file goes when there is no S3: a form with `slot` and `file`, as S3 would take it."""
    uploads.receive(*wire.parse_slot(request))
    return Response(204)
