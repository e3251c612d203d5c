"""Account settings: registration by invitation, log-in with a browser's cookie, and a new key."""

import json
from collections.abc import Mapping
from typing import Any

from infra.rehearsal.installation import Failure, HttpClient, Installation

PASSWORD = "correct horse battery"  # noqa: S105


def register(installation: Installation, username: str) -> None:
    """Create an account with an invitation, which works only once."""
    about = {
        "username": username,
        "email": f"{username.lower()}@example.org",
        "password": PASSWORD,
        "invitation": installation.moonbase("invitation", "create")["invitation"],
    }
    _ask(installation.site, 201, "POST", "/register", about)
    _ask(installation.site, 403, "POST", "/register", {**about, "username": f"{username}2", "email": "x@example.org"})


def use(installation: Installation, username: str) -> None:
    """Log in, open the pages, create a key and use it, log out."""
    entry = {"username": username, "password": PASSWORD}
    headers, begun = _ask(installation.site, 200, "POST", "/log-in", entry)
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    status, _, page = installation.site.request("GET", "/account", headers={**cookie, "Accept": "text/html"})
    if status != 200 or username.encode() not in page:
        raise Failure(f"GET /account: {status} {page[:300]!r}")
    _ask(installation.site, 403, "POST", "/keys", {"service": "luarocks"}, cookie)
    token = {**cookie, "X-CSRF-Token": begun["csrf_token"]}
    _, made = _ask(installation.site, 201, "POST", "/keys", {"service": "luarocks"}, token)
    installation.site.expect(200, "GET", f"/api/1/{made['key']}/status")
    _ask(installation.site, 204, "POST", "/log-out", None, token)
    _ask(installation.site, 401, "GET", "/me", None, cookie)


def _ask(
    site: HttpClient, status: int, method: str, path: str, given: Any = None, headers: Mapping[str, str] = {}
) -> tuple[dict[str, str], Any]:
    """Send a request to the account API; return the response's headers and JSON. Raises Failure for another status."""
    body = json.dumps(given).encode() if given is not None else None
    got, answered, content = site.request(method, f"/account/api{path}", body, headers)
    if got != status:
        raise Failure(f"{method} /account/api{path}: {got} {content[:300]!r}, not {status}")
    return answered, json.loads(content) if content else None
