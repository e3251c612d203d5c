"""The JSON of webhooks and their deliveries."""

from dataclasses import replace

from chalicelib.account.shapes import PAGE, Field, Shape
from chalicelib.core.webhooks.hooks import FILTERS

_MOMENT = Field("string", "A moment in UTC, RFC 3339.")
_MOMENT_OR_NULL = replace(_MOMENT, nullable=True)
_URL = Field("string", "Messages are sent there with POST. Redirects are not followed.")
_DESCRIPTION = Field("string", "Its purpose; at most 255 characters.")
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
    "enabled": Field("boolean", "", required=False),
    "new_secret": Field("boolean", "Make a new secret. The former one signs too for a day.", required=False),
}
WEBHOOK: Shape = {
    "id": Field("integer", ""),
    "url": _URL,
    "description": _DESCRIPTION,
    **_FILTERS,
    "enabled": Field("boolean", ""),
    "disabled_because": Field(
        "string",
        "`owner`; `failures`, if each delivery failed for three days; `gone`, if the receiver returned 410.",
        nullable=True,
    ),
    "failing_since": replace(_MOMENT_OR_NULL, about="The first failure since the last success."),
    "created_at": _MOMENT,
}
SECRET: Shape = {
    **WEBHOOK,
    "secret": Field("string", "With which messages are signed, `whsec_...`; it is shown only now.", nullable=True),
}
WEBHOOKS: Shape = {"webhooks": Field("array", "", of=WEBHOOK)}

ATTEMPT: Shape = {
    "at": _MOMENT,
    "status": Field("integer", "Of the response; null without one.", nullable=True),
    "error": Field("string", "The reason why there is no response.", nullable=True),
    "answer": Field("string", "The first 1,024 bytes of the response.", nullable=True),
    "milliseconds": Field("integer", "Until the response, or the error."),
}
DELIVERY: Shape = {
    "id": Field("string", "The end of the header `webhook-id`."),
    "state": Field("string", "", choices=("pending", "sent", "failed")),
    "message": Field("object", "The JSON that is sent."),
    "created_at": _MOMENT,
    "attempts": Field("array", "The last 20, oldest first.", of=ATTEMPT),
}
DELIVERY_PAGE: Shape = {
    "before": Field("string", "The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
}
DELIVERIES: Shape = {
    "deliveries": Field("array", "", of=DELIVERY),
    "next": Field("string", "The `before` of the next page; null on the last page.", nullable=True),
}
REDELIVERY: Shape = {"delivery": Field("string", "The id of the delivery that is sent again.")}
