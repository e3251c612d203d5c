"""The JSON of notifications, see shapes.py."""

from chalicelib.account.shapes import PAGE, Field, Shape
from chalicelib.core.notifications import inbox, preferences

_KIND = Field("string", "The kind, such as `key.created`.")
_CHANNEL = Field("string", "`mail` includes the inbox.", choices=preferences.CHANNELS)

INBOX_PAGE: Shape = {
    "before": Field("string", "The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
}
NOTIFICATION: Shape = {
    "id": Field("string", ""),
    "at": Field("string", "A moment in UTC, RFC 3339."),
    "kind": _KIND,
    "subject": Field("string", "A sentence."),
    "text": Field("string", "Details in some lines.", nullable=True),
    "link": Field("string", "A path of this server.", nullable=True),
    "read": Field("boolean", ""),
}
INBOX: Shape = {
    "notifications": Field("array", "", of=NOTIFICATION),
    "unread": Field("integer", f"The number of unread ones; {inbox.MOST_COUNTED} means so many or more."),
    "next": Field("string", "The `before` of the next page; null on the last page.", nullable=True),
}
READ: Shape = {"id": Field("string", "The default is all notifications.", required=False)}

SETTINGS: Shape = {
    "sends_mail": Field("boolean", "Whether this server sends mail. Without it `mail` means `inbox`."),
    "email_confirmed": Field("boolean", "Whether the account's address is confirmed. Others get no mail."),
    "daily_digest": Field("boolean", "Whether mails are sent once a day, except essential ones."),
    "kinds": Field(
        "array",
        "All kinds of notifications.",
        of={
            "kind": _KIND,
            "title": Field("string", ""),
            "channel": _CHANNEL,
            "essential": Field("boolean", "Whether it concerns the account's security: its channel is fixed."),
        },
    ),
}
CHANGES: Shape = {
    "kind": Field("string", "The kind to change, with its `channel`.", required=False),
    "channel": Field("string", _CHANNEL.about, required=False, choices=preferences.CHANNELS),
    "daily_digest": Field("boolean", "", required=False),
}
FEED: Shape = {"url": Field("string", "The address of the Atom feed. It contains a secret, and is shown only now.")}
