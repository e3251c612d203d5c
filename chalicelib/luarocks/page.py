"""The page of a module, which `luarocks upload` names when it is done: plain HTML, no script, nothing from afar."""

from html import escape
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core.views import Value
from chalicelib.luarocks import documents, entries
from chalicelib.web.conditional import etag_of
from chalicelib.web.request import Request
from chalicelib.web.response import Response, bytes_response

# Everything on the page comes from uploads: what slipped through the escaping could still do nothing.
_HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Vary", "Accept"),
)
_STYLE = """\
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { margin-bottom: 0; } h2 { margin-top: 2rem; } .user { color: #666; font-weight: normal; }
pre, code { font-family: ui-monospace, monospace; background: #f4f4f6; border-radius: 4px; }
pre { padding: .75rem 1rem; overflow-x: auto; } code { padding: 0 .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; }
td { border-top: 1px solid #ddd; vertical-align: top; } .hash { font-size: .75rem; word-break: break-all; color: #666; }
.description { white-space: pre-line; } .note { background: #fff4d6; padding: .5rem 1rem; border-radius: 4px; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1f; color: #ddd; } a { color: #8ab4f8; }
pre, code { background: #2a2a30; } td { border-color: #444; } .note { background: #4a3d12; } }
"""


def wants_html(request: Request) -> bool:
    """Whether a browser asks; who takes anything, or says nothing, gets JSON."""
    return "text/html" in request.headers.get("accept", "")


def render_module(request: Request, value: Value) -> Response:
    """A module as a page."""
    title = escape(value.get("display_name") or value["name"])
    parts = [
        f'<h1>{title} <span class="user">by {escape(value["user"])}</span></h1>',
        _paragraph("summary", value.get("summary")),
        '<p class="note">This module is archived: manifests do not list it.</p>' if value.get("archived") else "",
        f"<pre>{escape(_install(request, value))}</pre>",
        _paragraph("description", value.get("description")),
        _facts(value),
        "<h2>Versions</h2>",
        *(_version(request, value, name) for name in documents.newest_first(value)),
    ]
    content = _whole(title, "\n".join(filter(None, parts))).encode()
    return bytes_response(content, "text/html; charset=utf-8", headers=[*_HEADERS, ("ETag", etag_of(content))])


def _whole(title: str, content: str) -> str:
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{_STYLE}</style>
</head>
<body>
{content}
</body>
</html>
"""


def _paragraph(kind: str, text: str | None) -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def _install(request: Request, value: Value) -> str:
    name = value["name"] if value.get("in_root") else f"{value['user']}/{value['name']}"
    return f"luarocks install --only-server={request.base_url} {name}"


def _facts(value: Value) -> str:
    facts: list[tuple[str, str]] = [
        ("License", escape(value.get("license") or "")),
        ("Homepage", _link(value.get("homepage") or "")),
        ("Labels", escape(", ".join(value.get("labels", ())))),
        ("Owners", escape(", ".join([value["user"], *value.get("owners", {})]))),
        ("Manifests", escape(", ".join([*(["root"] if value.get("in_root") else []), *value.get("manifests", ())]))),
        ("Downloads", str(entries.downloads(value))),
    ]
    return "<dl>\n" + "\n".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts if fact) + "\n</dl>"


def _version(request: Request, value: Value, name: str) -> str:
    version = value["versions"][name]
    notes = [note for note in ("development", "archived") if version.get(note)]
    title = escape(version.get("display_version_name") or name) + (f" ({', '.join(notes)})" if notes else "")
    needs = escape("; ".join(version.get("dependencies", ())))
    rows = "\n".join(_file(file) for file in documents.files(request, value, name))
    return f"<h3>{title}</h3>\n" + (f"<p>Needs {needs}</p>\n" if needs else "") + f"<table>\n{rows}\n</table>"


def _file(file: dict[str, Any]) -> str:
    signature = f' (<a href="{escape(file["signature_url"])}">signature</a>)' if file["signature_url"] else ""
    return (
        f'<tr><td><a href="{escape(file["url"])}">{escape(file["name"])}</a>{signature}'
        f'<div class="hash">SHA-256 {file["sha256"]}</div></td>'
        f"<td>{file['size']:,} bytes</td><td>downloads: {file['downloads']:,}</td><td>{file['updated_at']}</td></tr>"
    )


def _link(url: str) -> str:
    """A link only where it leads to a web page: `javascript:` would run here."""
    try:
        is_web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        is_web = False
    return f'<a href="{escape(url)}" rel="nofollow">{escape(url)}</a>' if is_web else escape(url)
