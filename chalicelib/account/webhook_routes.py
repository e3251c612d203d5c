"""The account API for webhooks: those of one's account, and for administrators those of the server."""

from chalicelib.account import auth, webhook_shapes, webhook_wire, wire
from chalicelib.account.paging import PAGE, cut
from chalicelib.account.service import api
from chalicelib.core.caller import Caller
from chalicelib.core.webhooks import deliveries, hooks
from chalicelib.core.webhooks.tables import Webhook
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN

_HOOKS, _SERVER_HOOKS = "/webhooks", "/server-webhooks"
_HOOK, _SERVER_HOOK = f"{_HOOKS}/{{id}}", f"{_SERVER_HOOKS}/{{id}}"


@api("GET", _HOOKS, OWN, returns=webhook_shapes.WEBHOOKS)
def list_webhooks(request: Request, caller: Caller) -> Response:
    """List the webhooks of the account, which get the events of its works."""
    return _list(_owner(caller))


@api("POST", _HOOKS, OWN, accepts=webhook_shapes.NEW_WEBHOOK, returns=webhook_shapes.SECRET, status=201)
def create_webhook(request: Request, caller: Caller) -> Response:
    """Create a webhook. Messages are signed as in Standard Webhooks."""
    return _create(request, caller, _owner(caller))


@api("PATCH", _HOOK, OWN, accepts=webhook_shapes.WEBHOOK_CHANGES, returns=webhook_shapes.SECRET)
def change_webhook(request: Request, caller: Caller) -> Response:
    """Change a webhook, enable or disable it, or give it a new secret."""
    return _change(request, caller, _owner(caller))


@api("DELETE", _HOOK, OWN, status=204)
def delete_webhook(request: Request, caller: Caller) -> Response:
    """Delete a webhook."""
    hooks.delete(_hook(request, _owner(caller)), caller)
    return wire.render_no_content()


@api("POST", _HOOK, OWN, returns=webhook_shapes.DELIVERY, status=202)
def send_test_message(request: Request, caller: Caller) -> Response:
    """Send a message of the type `webhook.test`, to try the webhook out."""
    owner = _owner(caller)
    return wire.render(webhook_wire.delivery(deliveries.send_test(owner, _hook(request, owner))), 202)


@api("GET", f"{_HOOK}/deliveries", OWN, accepts=webhook_shapes.DELIVERY_PAGE, returns=webhook_shapes.DELIVERIES)
def list_deliveries(request: Request, caller: Caller) -> Response:
    """List the messages of the last 30 days with the results of their attempts, newest first."""
    return _deliveries(request, _owner(caller))


@api(
    "POST",
    f"{_HOOK}/deliveries",
    OWN,
    accepts=webhook_shapes.REDELIVERY,
    returns=webhook_shapes.DELIVERY,
    status=202,
)
def redeliver(request: Request, caller: Caller) -> Response:
    """Send a message again, with the same `webhook-id`."""
    return _send_again(request, _owner(caller))


@api("GET", _SERVER_HOOKS, auth.ADMINISTRATOR, returns=webhook_shapes.WEBHOOKS)
def list_server_webhooks(request: Request, caller: Caller) -> Response:
    """List the webhooks of the server, which get all events."""
    return _list(hooks.SERVER)


@api(
    "POST",
    _SERVER_HOOKS,
    auth.ADMINISTRATOR,
    second_factor=auth.RECENT_CODE,
    accepts=webhook_shapes.NEW_WEBHOOK,
    returns=webhook_shapes.SECRET,
    status=201,
)
def create_server_webhook(request: Request, caller: Caller) -> Response:
    """Create a webhook of the server."""
    return _create(request, caller, hooks.SERVER)


@api(
    "PATCH",
    _SERVER_HOOK,
    auth.ADMINISTRATOR,
    second_factor=auth.RECENT_CODE,
    accepts=webhook_shapes.WEBHOOK_CHANGES,
    returns=webhook_shapes.SECRET,
)
def change_server_webhook(request: Request, caller: Caller) -> Response:
    """Change a webhook of the server."""
    return _change(request, caller, hooks.SERVER)


@api("DELETE", _SERVER_HOOK, auth.ADMINISTRATOR, second_factor=auth.RECENT_CODE, status=204)
def delete_server_webhook(request: Request, caller: Caller) -> Response:
    """Delete a webhook of the server."""
    hooks.delete(_hook(request, hooks.SERVER), caller)
    return wire.render_no_content()


@api("POST", _SERVER_HOOK, auth.ADMINISTRATOR, returns=webhook_shapes.DELIVERY, status=202)
def send_test_message_of_server(request: Request, caller: Caller) -> Response:
    """Send a message of the type `webhook.test` to a webhook of the server."""
    hook = _hook(request, hooks.SERVER)
    return wire.render(webhook_wire.delivery(deliveries.send_test(hooks.SERVER, hook)), 202)


@api(
    "GET",
    f"{_SERVER_HOOK}/deliveries",
    auth.ADMINISTRATOR,
    accepts=webhook_shapes.DELIVERY_PAGE,
    returns=webhook_shapes.DELIVERIES,
)
def list_deliveries_of_server(request: Request, caller: Caller) -> Response:
    """List the messages to a webhook of the server."""
    return _deliveries(request, hooks.SERVER)


@api(
    "POST",
    f"{_SERVER_HOOK}/deliveries",
    auth.ADMINISTRATOR,
    accepts=webhook_shapes.REDELIVERY,
    returns=webhook_shapes.DELIVERY,
    status=202,
)
def redeliver_of_server(request: Request, caller: Caller) -> Response:
    """Send a message to a webhook of the server again."""
    return _send_again(request, hooks.SERVER)


def _owner(caller: Caller) -> str:
    return hooks.of_account(int(caller.account.id))


def _hook(request: Request, owner: str) -> Webhook:
    return hooks.get(owner, wire.read_id(request))


def _list(owner: str) -> Response:
    return wire.render({"webhooks": [webhook_wire.webhook(hook) for hook in hooks.list_hooks(owner)]})


def _create(request: Request, caller: Caller, owner: str) -> Response:
    given = wire.read(request, webhook_shapes.NEW_WEBHOOK)
    filters = webhook_wire.filters(given)
    hook, secret = hooks.create(owner, caller, given["url"], given["description"] or "", filters)
    return wire.render({**webhook_wire.webhook(hook), "secret": secret}, 201)


def _change(request: Request, caller: Caller, owner: str) -> Response:
    given = wire.read(request, webhook_shapes.WEBHOOK_CHANGES)
    hook = _hook(request, owner)
    secret = hooks.change(
        hook,
        caller,
        url=given["url"],
        description=given["description"],
        enabled=given["enabled"],
        filters=webhook_wire.filters(given),
        new_secret=bool(given["new_secret"]),
    )
    return wire.render({**webhook_wire.webhook(hook), "secret": secret})


def _deliveries(request: Request, owner: str) -> Response:
    parameters = wire.read_query(request, webhook_shapes.DELIVERY_PAGE)
    most = parameters["limit"] or PAGE
    found = deliveries.newest(_hook(request, owner), parameters["before"], most + 1)
    messages, following = cut(found, most, lambda message: str(message.sk))
    return wire.render({"deliveries": [webhook_wire.delivery(message) for message in messages], "next": following})


def _send_again(request: Request, owner: str) -> Response:
    given = wire.read(request, webhook_shapes.REDELIVERY)
    message = deliveries.send_again(owner, _hook(request, owner), given["delivery"])
    return wire.render(webhook_wire.delivery(message), 202)
