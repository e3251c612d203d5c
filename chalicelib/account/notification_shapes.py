"""The JSON of notifications, see shapes.py."""

from chalicelib.account.fields import MOMENT, Shape, flag, many, number, text
from chalicelib.account.shapes import PAGE
from chalicelib.core.notifications import inbox, preferences

_KIND = text("The kind, such as `key.created`.")
_CHANNEL = text("`mail` includes the inbox.", choices=preferences.CHANNELS)

INBOX_PAGE: Shape = {
    "before": text("The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
}
NOTIFICATION: Shape = {
    "id": text(),
    "at": MOMENT,
    "kind": _KIND,
    "subject": text("A sentence."),
    "text": text("Details in some lines.", nullable=True),
    "link": text("A path of this server.", nullable=True),
    "read": flag(),
}
INBOX: Shape = {
    "notifications": many(NOTIFICATION),
    "unread": number(f"The number of unread ones; {inbox.MOST_COUNTED} means so many or more."),
    "next": text("The `before` of the next page; null on the last page.", nullable=True),
}
READ: Shape = {"id": text("The default is all notifications.", required=False)}

KIND: Shape = {
    "kind": _KIND,
    "title": text(),
    "channel": _CHANNEL,
    "essential": flag("Whether it concerns the account's security: its channel is fixed."),
}
SETTINGS: Shape = {
    "sends_mail": flag("Whether this server sends mail. Without it `mail` means `inbox`."),
    "email_confirmed": flag("Whether the account's address is confirmed. Others get no mail."),
    "daily_digest": flag("Whether mails are sent once a day, except essential ones."),
    "kinds": many(KIND, "All kinds of notifications."),
}
CHANGES: Shape = {
    "kind": text("The kind to change, with its `channel`.", required=False),
    "channel": text(_CHANNEL.about, required=False, choices=preferences.CHANNELS),
    "daily_digest": flag(required=False),
}
FEED: Shape = {"url": text("The address of the Atom feed. It contains a secret, and is shown only now.")}
