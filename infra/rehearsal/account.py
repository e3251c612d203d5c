"""Account settings: registered by invitation, logged in by a browser's cookie, and a key that was made there."""

import json
from collections.abc import Mapping
from typing import Any

from infra.rehearsal.place import Failure, Place, Site

PASSWORD = "correct horse battery"  # noqa: S105


def register(place: Place, username: str) -> None:
    """Open an account with an invitation, which is good once."""
    about = {
        "username": username,
        "email": f"{username.lower()}@example.org",
        "password": PASSWORD,
        "invitation": place.moonbase("invitation", "create")["invitation"],
    }
    _ask(place.site, 201, "POST", "/register", about)
    _ask(place.site, 403, "POST", "/register", {**about, "username": f"{username}2", "email": "x@example.org"})


def use(place: Place, username: str) -> None:
    """Log in, see the pages, make a key and use it, log out."""
    entry = {"username": username, "password": PASSWORD}
    headers, begun = _ask(place.site, 200, "POST", "/log-in", entry)
    cookie = {"Cookie": headers["set-cookie"].partition(";")[0]}
    status, _, page = place.site.ask("GET", "/account", headers={**cookie, "Accept": "text/html"})
    if status != 200 or username.encode() not in page:
        raise Failure(f"GET /account: {status} {page[:300]!r}")
    _ask(place.site, 403, "POST", "/keys", {"service": "luarocks"}, cookie)
    token = {**cookie, "X-CSRF-Token": begun["csrf_token"]}
    _, made = _ask(place.site, 201, "POST", "/keys", {"service": "luarocks"}, token)
    place.site.expect(200, "GET", f"/api/1/{made['key']}/status")
    _ask(place.site, 204, "POST", "/log-out", None, token)
    _ask(place.site, 401, "GET", "/me", None, cookie)


def _ask(
    site: Site, status: int, method: str, path: str, given: Any = None, headers: Mapping[str, str] = {}
) -> tuple[dict[str, str], Any]:
    """The headers and the JSON of an answer of the account API, which must have this status."""
    body = json.dumps(given).encode() if given is not None else None
    got, told, content = site.ask(method, f"/account/api{path}", body, headers)
    if got != status:
        raise Failure(f"{method} /account/api{path}: {got} {content[:300]!r}, not {status}")
    return told, json.loads(content) if content else None
