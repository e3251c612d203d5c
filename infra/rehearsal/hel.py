"""Hel: an author registers and publishes a package, and another client finds it."""

import json
from collections.abc import Mapping

from infra.rehearsal.installation import Failure, HttpClient, Installation


def publish(installation: Installation, nickname: str, name: str) -> None:
    """Register by invitation, log in, publish and log out."""
    site = installation.site
    about = {"nickname": nickname, "email": f"{nickname.lower()}@example.org", "password": "builder-of-robots"}
    invitation = {"invitation": installation.moonbase("invitation", "create")["invitation"]}
    site.expect(200, "POST", "/auth", body=json.dumps({"action": "register", **about, **invitation}).encode())
    status, headers, _ = site.request("POST", "/auth", json.dumps({"action": "log-in", **about}).encode())
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
    status, _, answer = site.request("POST", "/packages/", json.dumps(package).encode(), cookie)
    if status != 201:
        raise Failure(f"POST /packages: {status} {answer!r}")
    _log_out(site, cookie)


def read(installation: Installation, nickname: str, name: str) -> None:
    """Find the package without a log-in."""
    found = installation.site.json("GET", f"/packages?q={name}")["data"]["list"]
    if (name, [nickname]) not in [(entry["name"], entry["owners"]) for entry in found]:
        raise Failure(f"GET /packages: {found}")
    if list(installation.site.json("GET", f"/packages/{name}")["data"]["versions"]) != ["1.0.0"]:
        raise Failure(f"GET /packages/{name} has another version")


def _log_out(site: HttpClient, cookie: Mapping[str, str]) -> None:
    site.request("POST", "/auth", b'{"action": "log-out"}', cookie)
    status, _, answer = site.request("POST", "/packages", b"{}", cookie)
    if status != 403 or json.loads(answer)["message"] != "Unauthorized: create_package failed permission check":
        raise Failure(f"POST /packages after the log-out: {status} {answer!r}")
