"""The root of the host, which no upstream API claims."""

from chalicelib.home import wire
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.service import Service

service = Service("home", wire.render_error)


@service.route("GET", "/")
def welcome(request: Request) -> Response:
    """What this server offers."""
    return wire.render_welcome(request)
