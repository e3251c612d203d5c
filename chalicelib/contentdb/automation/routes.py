"""The routes of webhooks, and of the tokens that sign them."""

from chalicelib.contentdb import auth, wire
from chalicelib.contentdb.automation import hook_tokens, hooks, payloads
from chalicelib.contentdb.automation.hooks import Outcome
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.releases import wire as release_wire
from chalicelib.contentdb.service import service
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Leaves, LeavesNone

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
    permission=auth.may(PackageAction.MAKE_RELEASE),
    event=LeavesNone("a token is no published work"),
)
def create_hook_token(request: Request, caller: Caller) -> Response:
    """Make a token with which a host signs webhooks of the package."""
    entry = registry.get(index.catalogue.snapshot(), request.params["author"], request.params["name"])
    credential, secret = hook_tokens.create(caller.account, load_parts(entry.value.id), caller)
    urls = {host: f"{request.base_url}/{host}/webhook/" for host in ("github", "gitlab", "gitea", "forgejo")}
    return wire.render_success(id=int(credential.id), token=secret, urls=urls)


def _render(snapshot: ContentDbSnapshot, outcome: Outcome) -> Response:
    if outcome.release is None:
        return wire.render({"success": outcome.done, "message": outcome.message})
    release = release_wire.render(snapshot, outcome.release)
    return wire.render_success(task=f"/tasks/{outcome.release.task_id}/", release=release)
