"""Hel: a package from its author's registration to somebody else's search."""

import json
from collections.abc import Mapping

from infra.rehearsal.place import Failure, Place, Site


def publish(place: Place, nickname: str, name: str) -> None:
    """Register by invitation, log in, publish and log out."""
    site = place.site
    about = {"nickname": nickname, "email": f"{nickname.lower()}@example.org", "password": "builder-of-robots"}
    invitation = {"invitation": place.moonbase("invitation", "create")["invitation"]}
    site.expect(200, "POST", "/auth", body=json.dumps({"action": "register", **about, **invitation}).encode())
    status, headers, _ = site.ask("POST", "/auth", json.dumps({"action": "log-in", **about}).encode())
    cookie = {"Cookie": headers.get("set-cookie", "").partition(";")[0]}
    package = {
        "name": name,
        "description": "Says something.",
        "short_description": "Says something.",
        "authors": [nickname],
        "license": "MIT",
        "tags": ["demo"],
        "versions": {"1.0.0": {"files": {}, "depends": {}, "changes": "First."}},
        "screenshots": {},
    }
    status, _, answer = site.ask("POST", "/packages/", json.dumps(package).encode(), cookie)
    if status != 201:
        raise Failure(f"POST /packages: {status} {answer!r}")
    _log_out(site, cookie)


def read(place: Place, nickname: str, name: str) -> None:
    """Anybody finds it."""
    found = place.site.json("GET", f"/packages?q={name}")["data"]["list"]
    if (name, [nickname]) not in [(entry["name"], entry["owners"]) for entry in found]:
        raise Failure(f"GET /packages: {found}")
    if list(place.site.json("GET", f"/packages/{name}")["data"]["versions"]) != ["1.0.0"]:
        raise Failure(f"GET /packages/{name} has another version")


def _log_out(site: Site, cookie: Mapping[str, str]) -> None:
    site.ask("POST", "/auth", b'{"action": "log-out"}', cookie)
    status, _, answer = site.ask("POST", "/packages", b"{}", cookie)
    if status != 403 or json.loads(answer)["message"] != "Unauthorized: create_package failed permission check":
        raise Failure(f"POST /packages after the log-out: {status} {answer!r}")
