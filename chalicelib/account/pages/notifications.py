"""The pages of one's own notifications: the inbox, its settings, and its feed."""

from chalicelib.account import feed, notifying, wire
from chalicelib.account.pages import base
from chalicelib.account.pages.forms import Filled
from chalicelib.core.caller import Caller
from chalicelib.core.notifications import inbox, preferences
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import OWN

_SETTINGS = "/notifications/settings"
_CHANNELS = [("off", "Off"), ("inbox", "Inbox"), ("mail", "Inbox and mail")]


@base.page("/notifications", OWN)
def show_inbox(request: Request, caller: Caller, filled: Filled) -> Response:
    """List the notifications of the last 90 days, newest first."""
    found, following = notifying.page(caller.account, request.argument("before"), None)
    until = inbox.read_until(caller.account)
    shown = [wire.notification(one, until) for one in found]
    unread = inbox.count_unread(caller.account, until)
    return base.render(
        request,
        caller,
        "notifications",
        filled,
        notifications=shown,
        unread=unread,
        most=inbox.MOST_COUNTED,
        following=following,
    )


@base.form("/notifications", "read")
def mark_all_read(request: Request, caller: Caller) -> Response:
    """Mark all notifications as read."""
    inbox.mark_all_read(caller.account)
    return base.go_to("/notifications", "notifications-read")


@base.form("/notifications", "delete")
def delete(request: Request, caller: Caller) -> Response:
    """Delete a notification."""
    inbox.delete(caller.account, request.form.get("id") or "")
    return base.go_to("/notifications", "notification-deleted")


@base.page(_SETTINGS, OWN)
def show_settings(request: Request, caller: Caller, filled: Filled) -> Response:
    """The channel of each kind, the digest, and the feed."""
    found = wire.notification_settings(caller.account)
    return base.render(request, caller, "notification_settings", filled, settings=found, channels=_CHANNELS)


@base.form(_SETTINGS, "channels")
def choose_channels(request: Request, caller: Caller) -> Response:
    """Set the channels of all kinds, and the digest."""
    kinds = [kind.name for kind in preferences.shown_kinds() if not kind.essential]
    chosen = {name: channel for name in kinds if (channel := request.form.get(name))}
    preferences.choose(caller.account, chosen, caller)
    daily = request.form.get("daily_digest") == "yes"
    if daily != caller.account.daily_digest:
        preferences.set_digest(caller.account, daily, caller)
    return base.go_to(_SETTINGS, "notification-settings")


@base.form(_SETTINGS, "feed")
def renew_feed(request: Request, caller: Caller) -> Response:
    """Make a new address for the feed and show it once."""
    url = f"{request.base_url}{feed.PATH}/{feed.renew(caller)}"
    return base.render(request, caller, "feed_created", url=url)


@base.form(_SETTINGS, "feed-off")
def turn_feed_off(request: Request, caller: Caller) -> Response:
    """Make the address of the feed invalid."""
    feed.remove(caller)
    return base.go_to(_SETTINGS, "feed-off")
