"""Pages of lists."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from chalicelib.contentdb.store.arguments import Arguments
from chalicelib.contentdb.store.errors import no_such_page
from chalicelib.web.request import Request

T = TypeVar("T")


def page_of(
    request: Request,
    arguments: Arguments,
    items: Sequence[T],
    show: Callable[[Sequence[T]], list[Any]],
    *,
    size: int,
    most: int,
) -> dict[str, Any]:
    """The requested page as JSON: number `page`, of `n` (or `num`) items; `size` by default, at most `most`.

    `show` renders the items of that page. Raises NotFound for a page that does not exist; the first one always does.
    """
    number = arguments.number("page") if "page" in arguments else 1
    requested = arguments.number("n") if "n" in arguments else arguments.number("num")
    per_page = min(size if requested is None else requested, most)
    page_count = -(-len(items) // per_page) if per_page else 0
    if not number or not per_page or (number > page_count and number > 1):
        raise no_such_page()
    return {
        "page": number,
        "per_page": per_page,
        "page_count": page_count,
        "total": len(items),
        "urls": {
            "previous": _url(request, number - 1) if number > 1 else None,
            "next": _url(request, number + 1) if number < page_count else None,
        },
        "items": show(items[(number - 1) * per_page : number * per_page]),
    }


def _url(request: Request, page: int) -> str:
    """The URL of another page, with all other arguments unchanged."""
    path = "/".join(("", *request.segments, ""))
    return f"{request.base_url}{path}?{urlencode({**request.query, 'page': [str(page)]}, doseq=True)}"
