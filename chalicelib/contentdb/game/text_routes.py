"""The routes that convert Markdown and HTML to Luanti's markup language."""

from urllib.parse import urlsplit

from chalicelib.contentdb import wire
from chalicelib.contentdb.game import description
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.texts import hypertext, markdown
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response
from chalicelib.web.route import ANONYMOUS


@service.route("GET", "/api/packages/{author}/{name}/hypertext", ANONYMOUS, slow=True)
def package_hypertext(request: Request) -> Response:
    """Convert a package's long description."""
    images = include_images(request)
    snapshot = index.catalogue.snapshot()
    package = registry.get(snapshot, request.params["author"], request.params["name"])
    return wire.render(description.of(snapshot, package, request.base_url, include_images=images).as_json())


@service.route("POST", "/api/hypertext", ANONYMOUS, writes=False, slow=True)
def convert_hypertext(request: Request) -> Response:
    """Convert HTML or, by its content type, Markdown. Links stay unchanged because the text has no page."""
    images = include_images(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    convert = hypertext.from_markdown if kind == "text/markdown" else hypertext.from_html
    return wire.render(convert(_text(request), "", images).as_json())


@service.route("POST", "/api/markdown", ANONYMOUS, writes=False, slow=True)
def convert_markdown(request: Request) -> Response:
    """Not on the API page: convert Markdown to HTML."""
    root = urlsplit(request.base_url).path
    return bytes_response(markdown.to_html(_text(request), root).encode(), "text/html; charset=utf-8")


def include_images(request: Request) -> bool:
    """Whether images are shown. Raises Invalid without a `formspec_version`, whose value has no effect yet."""
    arguments = Arguments(request, ("formspec_version", "include_images"))
    arguments.required("formspec_version")
    return "include_images" not in arguments or arguments.yes("include_images")


def _text(request: Request) -> str:
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        raise Invalid("The text is not UTF-8") from None
