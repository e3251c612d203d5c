"""Requests and responses about repositories and builds."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

from chalicelib.core.errors import Forbidden
from chalicelib.core.outbound import ssh_urls
from chalicelib.luadns import bodies, wire
from chalicelib.luadns.git import publishing
from chalicelib.luadns.git.plan import ZonePlan
from chalicelib.luadns.git.repositories import CHOICES
from chalicelib.luadns.git.tables import Build, Repository
from chalicelib.luadns.language.templates import TEMPLATES
from chalicelib.luadns.problems import invalid_field
from chalicelib.luadns.record_json import render_time
from chalicelib.luadns.store import not_found
from chalicelib.web.request import Request
from chalicelib.web.response import Response

MAX_ARCHIVE = 4 << 20  # bytes of the body with an archive
_MAX_ID = 2**31 - 1


def parse_repository(request: Request) -> tuple[str, str | None]:
    """Return repo_uri and branch; None is the default branch. Raises Invalid."""
    body = bodies.read_object(request, "RepositoryForm")
    uri, branch = body.required("repo_uri"), body.text("branch")
    body.raise_problems()
    return uri, branch or None


def parse_choices(request: Request) -> list[str]:
    """Return the names of the choices that a build makes; a body is optional. Raises Invalid."""
    if not request.body.strip():
        return []
    body = bodies.read_object(request, "BuildForm")
    found = [name for name in CHOICES if body.boolean(name)]
    body.raise_problems()
    return found


def parse_build_id(request: Request) -> int:
    """Return the id in the path. Raises NotFound."""
    text = request.params["build_id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_ID):
        raise not_found("Build")
    return int(text)


def parse_archive(request: Request) -> bytes:
    """Return the zip in the field `file`. Raises Invalid."""
    body = bodies.read_object(request, "ArchiveForm")
    text = body.required("file")
    body.raise_problems()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_field("file", "file is not Base64") from None


def check_signature(request: Request) -> None:
    """Raise Forbidden if GitHub's signature or GitLab's token is there and wrong. The secret of both is the key."""
    key = request.params["key"].encode()
    signature, token = request.headers.get("x-hub-signature-256"), request.headers.get("x-gitlab-token")
    expected = "sha256=" + hmac.new(key, request.body, hashlib.sha256).hexdigest()
    if signature is not None and not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Forbidden("The signature of the request is wrong: the secret of the webhook must be the API key.")
    if token is not None and not hmac.compare_digest(token.encode(), key):
        raise Forbidden("The token of the request is wrong: the secret of the webhook must be the API key.")


def render_repository(repository: Repository, deploy_key: str) -> Response:
    """Render a repository, and the SSH key that may read it."""
    address = ssh_urls.parse(repository.uri)
    return wire.render(
        {
            "repo_uri": repository.uri,
            "branch": repository.branch,
            "deploy_key": f"{deploy_key}\n" if address else "",
            "commit": repository.commit,
        }
    )


def render_builds(found: list[Build]) -> Response:
    """Render builds, newest first, without what they did."""
    return wire.render([_summary(build) for build in found])


def render_build(build: Build) -> Response:
    """Render one build with its zones and errors."""
    errors = [{"file": file, "line": line, "message": message} for file, line, message in build.errors or ()]
    return wire.render({**_summary(build), "zones": build.zones or [], "errors": errors})


def render_check(plans: list[ZonePlan]) -> Response:
    """Render what a build would do: zones, each with the records that it removes and adds."""
    zones = [
        {
            **publishing.described(plan),
            "removed": [state._asdict() for state in plan.difference.removed],
            "added": [{**state._asdict(), "id": None} for state in plan.difference.added],
        }
        for plan in plans
    ]
    return wire.render({"status": "OK", "zones": zones})


def render_templates() -> Response:
    """Render the templates of the system."""
    return wire.render([{**template._asdict(), "parameters": list(template.parameters)} for template in TEMPLATES])


def _summary(build: Build) -> dict[str, Any]:
    return {
        "id": int(build.id),
        "state": build.state,
        "repo_uri": build.uri,
        "branch": build.branch,
        "commit": build.commit,
        "author": build.author,
        "subject": build.subject,
        "committed_at": build.committed_at and render_time(build.committed_at),
        "created_at": render_time(build.created_at),
        "finished_at": build.finished_at and render_time(build.finished_at),
    }
