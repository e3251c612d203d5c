"""Requests through the gateway: paths, methods and limits, and responses of each service in its own dialect."""

import json
from typing import Any

from infra.rehearsal.installation import Failure, HttpClient


def smoke(site: HttpClient) -> None:
    """Check paths, methods and large bodies, which no single service owns."""
    version = {"version": "1.0.0"}
    for path in ("/api/tool_version", "/api/tool_version/", "//api//tool_version", "/api/tool%5Fversion?current=1%2e0"):
        site.expect(200, "GET", path, version)
    status, headers, content = site.request("HEAD", "/api/tool_version")
    if (status, headers.get("content-length"), content) != (200, "19", b""):
        raise Failure(f"HEAD: {status} {headers} {content!r}")
    site.expect(404, "GET", "/manifests/no%20body/manifest", {"errors": ["There is no such user."]})
    site.expect(404, "GET", "/no-such-1.0-1.rock", {"errors": ["There is no such file."]})
    site.expect(404, "GET", "/no/such/path", {"message": "There is nothing at this path."})
    site.expect(405, "PUT", "/api/1/modules", {"errors": ["This path does not take this method."]})
    site.expect(405, "DELETE", "/", {"message": "This path does not take this method."})
    site.expect(404, "DELETE", "/packages")  # Hel knows no 405
    site.expect(413, "POST", "/api/1/no-key/upload", body=bytes(4_613_735))


def services(site: HttpClient) -> None:
    """Check that each service responds in its own dialect, also with errors."""
    site.expect(200, "GET", "/")
    site.expect(200, "GET", "/healthz", {"status": "ok"})
    site.expect(200, "GET", "/manifest")
    site.expect(401, "GET", "/api/1/no-key/status", {"errors": ["Invalid key"]})
    site.expect(200, "GET", "/api/whoami/", {"is_authenticated": False, "username": None})
    if {"name": "MIT", "is_foss": True} not in site.json("GET", "/api/licenses/"):
        raise Failure("GET /api/licenses/ has no MIT")
    site.expect(404, "GET", "/api/packages/No/body/")
    _expect_members(site, "/packages", 200, {"success": True, "code": 200})
    _expect_members(site, "/users/nobody", 403, {"success": False, "code": 403})
    site.expect(401, "GET", "/account/api/me", {"message": "Log in first."})
    _expect_members(site, "/v1/zones", 401, {"status": "Unauthorized"})
    _expect_members(site, "/v1/nothing", 404, {"status": "Not Found", "message": "Resource not found."})


def without_host_name(site: HttpClient, stage: str) -> None:
    """Check that under AWS' host name the stage is part of all paths, also in the links of the answers."""
    site.expect(200, "GET", f"/{stage}/api/tool_version", {"version": "1.0.0"})
    _, _, welcome = site.request("GET", f"/{stage}/")
    if f"/{stage} NAME".encode() not in welcome:
        raise Failure(f"GET /{stage}/ has links to another server: {welcome[:300]!r}")


def _expect_members(site: HttpClient, path: str, status: int, wanted: dict[str, Any]) -> None:
    """Raise Failure unless the response is JSON with these members."""
    got, headers, content = site.request("GET", path, headers={"Accept": "application/json"})
    if got != status or not wanted.items() <= json.loads(content).items():
        raise Failure(f"GET {path}: {got} {headers} {content[:300]!r}")
