"""The front page."""

from chalicelib import settings
from chalicelib.web import html
from chalicelib.web.request import Request
from chalicelib.web.response import Response


def render_welcome(request: Request) -> Response:
    """The services of this server, and the configuration line of each client."""
    return html.page(request, "home/welcome.html", may_register=settings.current().registration != "closed")
