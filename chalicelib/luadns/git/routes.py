"""Routes of repositories and builds: the two that LuaDNS names on its help page, then our own."""

from chalicelib.core.caller import Caller
from chalicelib.luadns import auth
from chalicelib.luadns.git import builds, repositories, wire
from chalicelib.luadns.service import service
from chalicelib.luadns.store import Owner
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN

MAX_PUSH = 1 << 20  # bytes of the body that a Git host sends


@service.route("POST", "/notifications/{key}/push", auth.KEY_IN_PATH, scope="write", permission=OWN, body=MAX_PUSH)
def push(request: Request, caller: Caller) -> Response:
    """Enqueue a build of the repository."""
    wire.check_signature(request)
    return wire.render_build(repositories.enqueue(Owner.of(caller)))


@service.route(
    "POST",
    "/v1/githooks/pre-commit",
    auth.KEY,
    scope="write",
    permission=OWN,
    body=wire.MAX_ARCHIVE,
    slow=True,
    writes=False,
)
def check_archive(request: Request, caller: Caller) -> Response:
    """Check the files of zones in an archive, and show what a build of them would change."""
    return wire.render_check(builds.check(Owner.of(caller), wire.parse_archive(request)))


@service.route("GET", "/v1/repository", auth.KEY, scope="write", permission=OWN)
def get_repository(request: Request, caller: Caller) -> Response:
    """Get the repository."""
    owner = Owner.of(caller)
    return wire.render_repository(repositories.get(owner), repositories.deploy_key(owner))


@service.route("PUT", "/v1/repository", auth.KEY, scope="write", permission=OWN)
def save_repository(request: Request, caller: Caller) -> Response:
    """Set the repository."""
    owner = Owner.of(caller)
    saved = repositories.save(owner, *wire.parse_repository(request))
    return wire.render_repository(saved, repositories.deploy_key(owner))


@service.route("DELETE", "/v1/repository", auth.KEY, scope="write", permission=OWN)
def delete_repository(request: Request, caller: Caller) -> Response:
    """Remove the repository; its zones stay."""
    owner = Owner.of(caller)
    found = repositories.get(owner)
    repositories.delete(owner)
    return wire.render_repository(found, "")


@service.route("GET", "/v1/builds", auth.KEY, scope="write", permission=OWN)
def list_builds(request: Request, caller: Caller) -> Response:
    """List builds, newest first."""
    return wire.render_builds(repositories.builds(Owner.of(caller)))


@service.route("POST", "/v1/builds", auth.KEY, scope="write", permission=OWN)
def create_build(request: Request, caller: Caller) -> Response:
    """Enqueue a build of the repository, with choices."""
    return wire.render_build(repositories.enqueue(Owner.of(caller), wire.parse_choices(request)))


@service.route("GET", "/v1/builds/{build_id}", auth.KEY, scope="write", permission=OWN)
def get_build(request: Request, caller: Caller) -> Response:
    """Get a build with what it changed, and its errors."""
    return wire.render_build(repositories.build(Owner.of(caller), wire.parse_build_id(request)))


@service.route("POST", "/v1/builds/{build_id}/retry", auth.KEY, scope="write", permission=OWN)
def retry_build(request: Request, caller: Caller) -> Response:
    """Enqueue a build of the newest commit with the choices of an earlier build, and further ones."""
    return wire.render_build(
        repositories.retry(Owner.of(caller), wire.parse_build_id(request), wire.parse_choices(request))
    )


@service.route("GET", "/v1/templates", auth.KEY, permission=OWN)
def list_templates(request: Request, caller: Caller) -> Response:
    """List the templates of new zones."""
    return wire.render_templates()
