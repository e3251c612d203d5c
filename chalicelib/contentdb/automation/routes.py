"""The routes of webhooks, of the tokens that sign them, and of the detection of updates."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.automation import hook_tokens, hooks, payloads, updates
from chalicelib.contentdb.automation import wire as automation_wire
from chalicelib.contentdb.automation.hooks import Outcome
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.releases import wire as release_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index, permissions
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Leaves, LeavesNone

_UPDATES = "/api/packages/{author}/{name}/update-detection"
_PERMISSION = auth.may(PackageAction.MAKE_RELEASE)
_RELEASE = Leaves("release", "publish")  # when the job has checked it


@service.route("POST", "/github/webhook", ANONYMOUS, body=payloads.LARGEST, event=_RELEASE)
@service.route("POST", "/gitea/webhook", ANONYMOUS, body=payloads.LARGEST, event=_RELEASE)
@service.route("POST", "/forgejo/webhook", ANONYMOUS, body=payloads.LARGEST, event=_RELEASE)
def github(request: Request) -> Response:
    """Release a push or a tag of GitHub, Gitea or Forgejo; a token of the package signs the body."""
    algorithm, signature = payloads.signature(request)
    hook, snapshot = payloads.github(request), index.catalogue.snapshot()
    signed = hooks.by_signature(request.body, algorithm, signature, request.client_address)
    return _render(snapshot, hooks.receive(snapshot, hook, signed, hooks.wrong_signature()))


@service.route("POST", "/gitlab/webhook", ANONYMOUS, body=payloads.LARGEST, event=_RELEASE)
def gitlab(request: Request) -> Response:
    """Release a push or a tag of GitLab, which sends a token of the package."""
    token = request.headers.get("x-gitlab-token", "").strip()
    if not token:
        raise Forbidden("Token required")
    hook, snapshot = payloads.gitlab(request), index.catalogue.snapshot()
    known = hooks.by_token(token, request.client_address)
    return _render(snapshot, hooks.receive(snapshot, hook, known, hooks.wrong_token()))


@service.route(
    "POST",
    "/api/packages/{author}/{name}/webhook-tokens",
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    event=LeavesNone("a token is no published work"),
)
def create_hook_token(request: Request, caller: Caller) -> Response:
    """Make a token with which a host signs webhooks of the package."""
    credential, secret = hook_tokens.create(caller.account, _load(request), caller)
    urls = {host: f"{request.base_url}/{host}/webhook/" for host in ("github", "gitlab", "gitea", "forgejo")}
    return wire.render_success(id=int(credential.id), token=secret, urls=urls)


@service.route("GET", _UPDATES, auth.PACKAGE_TOKEN, permission=_PERMISSION)
def read_updates(request: Request, caller: Caller) -> Response:
    """Return how a package is checked for updates, and the result of the last check."""
    parts = _load(request)
    permissions.require_token_for(caller, parts.package)
    return wire.render(automation_wire.render_updates(updates.get(parts), updates.due_at(int(parts.package.id))))


@service.route(
    "PUT",
    _UPDATES,
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    event=LeavesNone("settings are no published work"),
)
def set_updates(request: Request, caller: Caller) -> Response:
    """Check a package for updates, and set how."""
    wanted = automation_wire.parse_updates(request)
    check = updates.configure(caller.account, request.params["author"], request.params["name"], wanted, caller)
    return wire.render_success(updates=automation_wire.render_updates(check, updates.due_at(int(check.package_id))))


@service.route(
    "DELETE",
    _UPDATES,
    auth.PACKAGE_TOKEN,
    scope="package:",
    permission=_PERMISSION,
    event=LeavesNone("settings are no published work"),
)
def remove_updates(request: Request, caller: Caller) -> Response:
    """Check a package for updates no longer."""
    updates.remove(request.params["author"], request.params["name"], caller)
    return wire.render_success()


def _load(request: Request) -> Parts:
    entry = registry.get(index.catalogue.snapshot(), request.params["author"], request.params["name"])
    return load_parts(entry.value.id)


def _render(snapshot: ContentDbSnapshot, outcome: Outcome) -> Response:
    if outcome.release is None:
        return wire.render({"success": outcome.done, "message": outcome.message})
    release = release_wire.render(snapshot, outcome.release)
    return wire.render_success(task=f"/tasks/{outcome.release.task_id}/", release=release)
