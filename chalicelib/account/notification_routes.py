"""The account API for notifications, and their feed."""

from chalicelib.account import feed, notification_shapes, notifying, wire
from chalicelib.account.auth import LINK
from chalicelib.account.service import api, service
from chalicelib.core.caller import Caller
from chalicelib.core.notifications import inbox
from chalicelib.web import atom
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN


@api("GET", "/notifications", OWN, accepts=notification_shapes.INBOX_PAGE, returns=notification_shapes.INBOX)
def list_notifications(request: Request, caller: Caller) -> Response:
    """List the notifications of the last 90 days, newest first."""
    parameters = wire.read_query(request, notification_shapes.INBOX_PAGE)
    found, following = notifying.page(caller.account, parameters["before"], parameters["limit"])
    until = inbox.read_until(caller.account)
    shown = [wire.notification(one, until) for one in found]
    unread = inbox.count_unread(caller.account, until)
    return wire.render({"notifications": shown, "unread": unread, "next": following})


@api("POST", "/notifications/read", OWN, accepts=notification_shapes.READ, status=204)
def mark_notifications_read(request: Request, caller: Caller) -> Response:
    """Mark one notification as read, or all of them."""
    notifying.mark_read(caller, **wire.read(request, notification_shapes.READ))
    return wire.render_no_content()


@api("DELETE", "/notifications/{id}", OWN, status=204)
def delete_notification(request: Request, caller: Caller) -> Response:
    """Delete a notification."""
    inbox.delete(caller.account, request.params["id"])
    return wire.render_no_content()


@api("GET", "/notifications/settings", OWN, returns=notification_shapes.SETTINGS)
def get_notification_settings(request: Request, caller: Caller) -> Response:
    """Return the channel of each kind of notifications, and whether mail can reach the account."""
    return wire.render(wire.notification_settings(caller.account))


@api(
    "PATCH",
    "/notifications/settings",
    OWN,
    accepts=notification_shapes.CHANGES,
    returns=notification_shapes.SETTINGS,
)
def change_notification_settings(request: Request, caller: Caller) -> Response:
    """Set the channel of a kind of notifications, or whether mails are sent once a day."""
    notifying.change_settings(caller, **wire.read(request, notification_shapes.CHANGES))
    return wire.render(wire.notification_settings(caller.account))


@api("POST", "/notifications/feed", OWN, returns=notification_shapes.FEED, status=201)
def renew_feed(request: Request, caller: Caller) -> Response:
    """Return a new address for the feed of the notifications; the former one becomes invalid."""
    return wire.render({"url": f"{request.base_url}{feed.PATH}/{feed.renew(caller)}"}, 201)


@api("DELETE", "/notifications/feed", OWN, status=204)
def turn_feed_off(request: Request, caller: Caller) -> Response:
    """Make the address of the feed invalid."""
    feed.remove(caller)
    return wire.render_no_content()


@service.route("GET", f"{feed.PATH}/{{secret}}", LINK, page=True)
def get_feed(request: Request, caller: None) -> Response:
    """Return the newest notifications as an Atom feed."""
    account = feed.account_of(request.params["secret"])
    found, _ = notifying.page(account, None, None)
    return atom.feed(
        title=f"Notifications of {account.username}",
        id=f"urn:moonbase:inbox:{int(account.id)}",
        link=f"{request.base_url}/account/notifications",
        entries=[wire.feed_entry(request, account, one) for one in found],
        otherwise=account.created_at,
    )
