"""What comes through the gateway, and that each service is there and speaks its own dialect."""

import json
from typing import Any

from infra.rehearsal.place import Failure, Site


def smoke(site: Site) -> None:
    """How paths, methods and large bodies come through, which no single service owns."""
    version = {"version": "1.0.0"}
    for path in ("/api/tool_version", "/api/tool_version/", "//api//tool_version", "/api/tool%5Fversion?current=1%2e0"):
        site.expect(200, "GET", path, version)
    status, headers, content = site.ask("HEAD", "/api/tool_version")
    if (status, headers.get("content-length"), content) != (200, "19", b""):
        raise Failure(f"HEAD: {status} {headers} {content!r}")
    site.expect(404, "GET", "/manifests/no%20body/manifest", {"errors": ["There is no such user."]})
    site.expect(404, "GET", "/no-such-1.0-1.rock", {"errors": ["There is no such file."]})
    site.expect(404, "GET", "/no/such/path", {"message": "There is nothing at this path."})
    site.expect(405, "PUT", "/api/tool_version", {"errors": ["This path does not take this method."]})
    site.expect(405, "DELETE", "/", {"message": "This path does not take this method."})
    site.expect(404, "DELETE", "/packages")  # Hel knows no 405
    site.expect(413, "POST", "/api/1/no-key/upload", body=bytes(4_613_735))


def services(site: Site) -> None:
    """Each service answers, and refuses, in its own words."""
    site.expect(200, "GET", "/")
    site.expect(200, "GET", "/healthz", {"status": "ok"})
    site.expect(200, "GET", "/manifest")
    site.expect(401, "GET", "/api/1/no-key/status", {"errors": ["Invalid key"]})
    site.expect(200, "GET", "/api/whoami/", {"is_authenticated": False, "username": None})
    if {"name": "MIT", "is_foss": True} not in site.json("GET", "/api/licenses/"):
        raise Failure("GET /api/licenses/ has no MIT")
    site.expect(404, "GET", "/api/packages/No/body/")
    _says(site, "/packages", 200, {"success": True, "code": 200})
    _says(site, "/users/nobody", 403, {"success": False, "code": 403})
    site.expect(401, "GET", "/account/api/me", {"message": "Log in first."})
    _says(site, "/v1/zones", 401, {"status": "Unauthorized"})
    _says(site, "/v1/nothing", 404, {"status": "Not Found", "message": "Resource not found."})


def without_host_name(site: Site, stage: str) -> None:
    """Under the name that AWS gives it, the API has the stage before its paths, in what it answers as well."""
    site.expect(200, "GET", f"/{stage}/api/tool_version", {"version": "1.0.0"})
    _, _, welcome = site.ask("GET", f"/{stage}/")
    if f"/{stage} NAME".encode() not in welcome:
        raise Failure(f"GET /{stage}/ names another server: {welcome[:300]!r}")


def _says(site: Site, path: str, status: int, wanted: dict[str, Any]) -> None:
    """Raises Failure unless the answer is JSON that has these members."""
    got, headers, content = site.ask("GET", path, headers={"Accept": "application/json"})
    if got != status or not wanted.items() <= json.loads(content).items():
        raise Failure(f"GET {path}: {got} {headers} {content[:300]!r}")
