"""Pages for people: HTML from templates, which lie in the `pages/` of each slice.

A template is named by its slice: `luarocks/module.html`. `web/pages/` has what the slices share: `layout.html`, and the
macros in `parts.html`. Nothing on a page acts, and nothing comes from elsewhere: the headers hold browsers to that.
"""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.core.errors import CoreError
from chalicelib.web.conditional import etag_of
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response

if TYPE_CHECKING:
    from jinja2 import Environment

_SLICES = Path(__file__).parent.parent
_KIND = "text/html"
_JAVA = "text/html, image/gif, image/jpeg, "  # how Java's own client begins: with it hpm reads JSON


def wants_html(request: Request) -> bool:
    """Whether a browser asks: it names HTML, and likes JSON no better. Who takes anything is no browser."""
    header = request.headers.get("accept", "")
    if header.startswith(_JAVA):
        return False
    accepted = offers(header)
    json = next((accepted[kind] for kind in ("application/json", "application/*", "*/*") if kind in accepted), 0.0)
    return 0 < accepted.get(_KIND, 0.0) >= json


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    private: bool = False,
    **values: Any,
) -> Response:
    """A template as a page. `private` is what nobody may keep: somebody's own, and what went wrong.

    Templates also know `base`, what clients call us by, and `root`, what the paths of our links begin with.
    """
    base = request.base_url
    text = _environment().get_template(template).render(base=base, root=urlsplit(base).path, **values)
    content = text.encode()
    kept = ("Cache-Control", "no-store") if private else ("ETag", etag_of(content))
    content_type = f"{_KIND}; charset=utf-8"
    return bytes_response(content, content_type, status, [*_protection(), ("Vary", "Accept"), kept, *headers])


def error_page(request: Request, error: CoreError) -> Response:
    """An error as a page."""
    status = status_of(error)
    told = {"title": HTTPStatus(status).phrase, "message": error.message}
    return page(request, "web/error.html", status=status, headers=headers_of(error), private=True, **told)


def source(template: str) -> str:
    """The text of a template, as it is."""
    owner, _, name = template.partition("/")
    return (_SLICES / owner / "pages" / name).read_text()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["style"] = Markup(_style())  # noqa: S704
    environment.filters["number"] = lambda number: f"{number:,}"
    environment.tests["web_address"] = _is_web_address
    return environment


@cache
def _style() -> str:
    return source("web/style.css")


@cache
def _protection() -> tuple[tuple[str, str], ...]:
    """The headers of every page: what slipped through the escaping could still do nothing.

    A referrer goes to ourselves alone: without any, browsers would not say from where a form was sent either.
    """
    style = b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
    )


def _is_web_address(text: str) -> bool:
    """Whether a link may lead there: `javascript:` would run here."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False
