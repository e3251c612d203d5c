"""The front page."""

from chalicelib import settings
from chalicelib.core import registry
from chalicelib.web import html
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_CONTENTS = {
    "luarocks": "rocks",
    "contentdb": "Luanti packages",
    "hel": "OpenComputers packages",
    "luadns": "DNS zones",
}


def render_welcome(request: Request) -> Response:
    """The services of this server, and the configuration line of each client."""
    contents = [text for name, text in _CONTENTS.items() if registry.current().offers(name)]
    first = [f"{text[:1].upper()}{text[1:]}" for text in contents[:1]]
    may_register = settings.current().registration != "closed"
    return html.page(request, "home/welcome.html", contents=[*first, *contents[1:]], may_register=may_register)
