"""The responses for programs at the root of the host."""

from chalicelib.core import registry
from chalicelib.core.errors import CoreError, Invalid
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.html import error_page, source, wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response, json_response

_LINES = {
    "luarocks": """\
LuaRocks   luarocks install --only-server={base} NAME
           luarocks upload --server={base} --temp-key=KEY NAME-VERSION.rockspec
""",
    "contentdb": "Luanti     contentdb_url = {base}\n",
    "luadns": "LuaDNS     curl -u EMAIL:KEY {base}/v1/zones\n",
    "hel": "Hel        wget {base}/hel/module /etc/hpm/module/moonbase.lua; hpm hel:search WORD\n",
}
_A_DAY = ("Cache-Control", "public, max-age=86400")


def render_welcome(request: Request) -> Response:
    """The configuration lines for each client, as plain text."""
    lines = "".join(text for name, text in _LINES.items() if registry.current().offers(name))
    text = f"Moonbase: a server for the Lua world.\n\n{lines}\nAccount    {{base}}/account\n".format(
        base=request.base_url
    )
    return bytes_response(text.encode(), "text/plain; charset=utf-8", headers=[("Vary", "Accept")])


def render_icon() -> Response:
    """The icon that browsers show next to a page's title."""
    return bytes_response(source("web/moon.svg").encode(), "image/svg+xml", headers=[_A_DAY])


def slot_id(request: Request) -> str:
    """The id of the upload slot in the query. Raises Invalid without one."""
    slot = request.argument("slot")
    if not slot:
        raise Invalid("The query must contain the id of the upload slot: ?slot=ID.")
    return slot


def parse_file(request: Request) -> bytes:
    """The file in a form. Raises Invalid."""
    file = request.form.file("file")
    if file is None:
        raise Invalid("The form must contain the file in the field file.")
    return file.content


def render_health(checks: dict[str, str] | None) -> Response:
    """`{"status": "ok"}`, with the results of thorough checks if any were run; 503 if one failed. Never cached."""
    failed = "failed" in (checks or {}).values()
    body = {"status": "failed" if failed else "ok"} | ({} if checks is None else {"checks": checks})
    return json_response(body, 503 if failed else 200, headers=[("Cache-Control", "no-store")])


def render_error(request: Request, error: CoreError) -> Response:
    """`{"message": ...}`; a page for browsers."""
    if wants_html(request):
        return error_page(request, error)
    return json_response({"message": error.message}, status_of(error), headers_of(error))
