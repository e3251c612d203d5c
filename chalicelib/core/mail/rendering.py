"""The texts of mails, from the templates next to this module: `NAME.txt` and `NAME.html`."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib import settings

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def url_of(path: str) -> str:
    """The absolute URL of a path of this server, never from a request, whose sender could have chosen the host."""
    current = settings.current()
    return (current.mail_base_url or current.base_url).rstrip("/") + path


def host() -> str:
    """The host of this server in the links of mails."""
    return urlsplit(url_of("")).netloc


def render(template: str, **values: Any) -> tuple[str, str]:
    """Render both forms of a template: plain text and HTML. They also have `url_of`, and the `host` of this server."""
    given = {"url_of": url_of, "host": host(), **values}
    text, html = (_environment(kind == "html").get_template(f"{template}.{kind}") for kind in ("txt", "html"))
    return text.render(given), html.render(given)


@cache
def _environment(escapes: bool) -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(lambda name: (_TEMPLATES / name).read_text()),
        autoescape=escapes,  # noqa: S701, the other form is plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
