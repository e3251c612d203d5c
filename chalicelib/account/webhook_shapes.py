"""The JSON of webhooks and their deliveries."""

from dataclasses import replace

from chalicelib.account.fields import MOMENT, MOMENT_OR_NULL, Field, Shape, flag, many, number, text
from chalicelib.account.shapes import PAGE
from chalicelib.core.webhooks.hooks import FILTERS

_URL = text("Messages are sent there with POST. Redirects are not followed.")
_DESCRIPTION = text("Its purpose; at most 255 characters.")
_ABOUT = {
    "services": "Such as `luarocks`. Without any, the events of all services.",
    "kinds": "Kinds of works, such as `version`. Without any, all.",
    "names": "Full names of works; one with `*` at its end is the beginning of names. Without any, all.",
    "actions": "`publish`, `change`, `archive`, `restore`, `transfer` or `delete`. Without any, all.",
}
_FILTERS = {name: Field("array", _ABOUT[name]) for name in FILTERS}
_OPTIONAL_FILTERS = {name: replace(field, required=False) for name, field in _FILTERS.items()}

NEW_WEBHOOK: Shape = {"url": _URL, "description": replace(_DESCRIPTION, required=False), **_OPTIONAL_FILTERS}
WEBHOOK_CHANGES: Shape = {
    "url": replace(_URL, required=False),
    "description": replace(_DESCRIPTION, required=False),
    **_OPTIONAL_FILTERS,
    "enabled": flag(required=False),
    "new_secret": flag("Make a new secret. The former one signs too for a day.", required=False),
}
WEBHOOK: Shape = {
    "id": number(),
    "url": _URL,
    "description": _DESCRIPTION,
    **_FILTERS,
    "enabled": flag(),
    "disabled_because": text(
        "`owner`; `failures`, if each delivery failed for three days; `gone`, if the receiver returned 410.",
        nullable=True,
    ),
    "failing_since": replace(MOMENT_OR_NULL, about="The first failure since the last success."),
    "created_at": MOMENT,
}
SECRET: Shape = {
    **WEBHOOK,
    "secret": text("With which messages are signed, `whsec_...`; it is shown only now.", nullable=True),
}
WEBHOOKS: Shape = {"webhooks": many(WEBHOOK)}

ATTEMPT: Shape = {
    "at": MOMENT,
    "status": number("Of the response; null without one.", nullable=True),
    "error": text("The reason why there is no response.", nullable=True),
    "answer": text("The first 1,024 bytes of the response.", nullable=True),
    "milliseconds": number("Until the response, or the error."),
}
DELIVERY: Shape = {
    "id": text("The end of the header `webhook-id`."),
    "state": text(choices=("pending", "sent", "failed")),
    "message": Field("object", "The JSON that is sent."),
    "created_at": MOMENT,
    "attempts": many(ATTEMPT, "The last 20, oldest first."),
}
DELIVERY_PAGE: Shape = {
    "before": text("The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
}
DELIVERIES: Shape = {
    "deliveries": many(DELIVERY),
    "next": text("The `before` of the next page; null on the last page.", nullable=True),
}
REDELIVERY: Shape = {"delivery": text("The id of the delivery that is sent again.")}
