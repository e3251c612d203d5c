"""Pages: HTML from the templates in each slice's `pages/`.

A template's name starts with its slice: `luarocks/module.html`. `web/pages/` has the shared templates: `layout.html`
and the macros in `parts.html`. Pages have no scripts and no resources of other sites; their headers forbid both.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.core import registry
from chalicelib.core.errors import CoreError
from chalicelib.web.conditional import etag_of
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.negotiation import offers
from chalicelib.web.protection import POLICY
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response

if TYPE_CHECKING:
    from jinja2 import Environment

_SLICES = Path(__file__).parent.parent
_KIND = "text/html"
_JAVA = "text/html, image/gif, image/jpeg, "  # the beginning of Java's default header, which hpm sends to read JSON


def wants_html(request: Request) -> bool:
    """Whether the client is a browser: it names HTML, and does not prefer JSON. A client that accepts `*/*` is not."""
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
    """Render a template as a page. A `private` page must not be cached: personal data, and errors.

    Templates also have `base`, this server's base URL, and `root`, the path of that URL, which starts each link;
    `is_offered(service)` says whether this server offers a service.
    """
    base = request.base_url
    text = _environment().get_template(template).render(base=base, root=urlsplit(base).path, **values)
    content = text.encode()
    caching = ("Cache-Control", "no-store") if private else ("ETag", etag_of(content))
    content_type = f"{_KIND}; charset=utf-8"
    return bytes_response(content, content_type, status, [*_protection(), ("Vary", "Accept"), caching, *headers])


def error_page(request: Request, error: CoreError) -> Response:
    """Render an error as a page with its status and headers."""
    status = status_of(error)
    values = {"title": HTTPStatus(status).phrase, "message": error.message}
    return page(request, "web/error.html", status=status, headers=headers_of(error), private=True, **values)


def source(template: str) -> str:
    """Return the source text of a template."""
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
    environment.globals["is_offered"] = lambda service: registry.current().offers(service)
    environment.filters["listed"] = listed
    environment.filters["number"] = lambda number: f"{number:,}"
    environment.tests["web_address"] = _is_web_address
    return environment


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


@cache
def _style() -> str:
    return source("web/style.css")


@cache
def _protection() -> tuple[tuple[str, str], ...]:
    """The security headers of every page. They disable scripts, also if the escaping has a gap.

    Browsers send the referrer to this server only. Without any referrer they would also omit the origin of a form.
    """
    style = b64encode(sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style}'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        (POLICY, policy),
        ("Referrer-Policy", "same-origin"),
    )


def _is_web_address(text: str) -> bool:
    """Whether a text can be the target of a link; a `javascript:` URL would run in the page."""
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False
