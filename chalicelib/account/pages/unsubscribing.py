"""The page behind the link in each mail that stops such mails; mail programs send its form themselves (RFC 8058)."""

from chalicelib.account.auth import LINK
from chalicelib.account.pages import base
from chalicelib.account.pages.forms import Filled
from chalicelib.account.service import service
from chalicelib.core import registry
from chalicelib.core.notifications import unsubscribing
from chalicelib.core.notifications.unsubscribing import Subscription
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_PATH = "/unsubscribe/{token}"


@base.page(_PATH, credential=LINK)
def show_unsubscribe(request: Request, caller: None, filled: Filled) -> Response:
    """Ask to stop the mails. A GET stops nothing, because programs follow links to examine them."""
    return _render(request, unsubscribing.read(request.params["token"]), stopped=False)


@service.route("POST", base.ROOT + _PATH, LINK, page=True)
def unsubscribe(request: Request, caller: None) -> Response:
    """Stop the mails."""
    subscription = unsubscribing.read(request.params["token"])
    subscription.stop()
    return _render(request, subscription, stopped=True)


def _render(request: Request, subscription: Subscription, *, stopped: bool) -> Response:
    kind = registry.current().notification_kinds.get(subscription.kind)
    title = kind.title if kind else None
    path, username = unsubscribing.PATH + request.params["token"], subscription.account.username
    return base.render(request, None, "unsubscribe", path=path, username=username, title=title, stopped=stopped)
