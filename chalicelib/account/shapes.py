"""The JSON of requests and responses, declared once for validation and for the OpenAPI document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.core.identity import accounts, credentials


@dataclass(frozen=True)
class Field:
    """A field: `kind` is its JSON type, `of` the shape of an object or of an array's items."""

    kind: str
    about: str
    required: bool = True
    nullable: bool = False
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()  # a function if slices define them
    between: tuple[int, int] | None = None
    of: "Shape | None" = None

    @property
    def allowed(self) -> tuple[str, ...]:
        """The current choices."""
        return self.choices() if callable(self.choices) else self.choices

    @property
    def schema(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        schema: dict[str, Any] = {"type": [self.kind, "null"] if self.nullable else self.kind}
        if self.about:
            schema["description"] = self.about
        if self.choices:
            schema["enum"] = [*self.allowed]
        if self.between:
            schema["minimum"], schema["maximum"] = self.between
        if self.kind == "array":
            schema["items"] = schema_of(self.of) if self.of else {"type": "string"}
        elif self.of:
            schema.update(schema_of(self.of))
        return schema


Shape = Mapping[str, Field]


def schema_of(shape: Shape) -> dict[str, Any]:
    """A shape as JSON Schema, without additional properties."""
    return {
        "type": "object",
        "properties": {name: field.schema for name, field in shape.items()},
        "required": [name for name, field in shape.items() if field.required],
        "additionalProperties": False,
    }


def read(data: Any, shape: Shape) -> dict[str, Any]:
    """The fields of a JSON object; an optional field that is missing or null is None. Raises Invalid.

    An unknown field is rejected: a mistyped `scope` must not create a key with full access.
    """
    if not isinstance(data, dict):
        raise Invalid("The body must be a JSON object.")
    for name in data:
        if name not in shape:
            raise Invalid(f"There is no field {name[:100]!r} here; there are: {', '.join(shape)}.")
    return {name: _value(name, data.get(name), field) for name, field in shape.items()}


def _value(name: str, value: Any, field: Field) -> Any:
    if value is None:
        if field.required:
            raise Invalid(f"{name} is missing.", field=name)
        return None
    if type(value) is not _TYPES[field.kind]:
        raise Invalid(f"{name} must be a JSON {field.kind}.", field=name)
    if isinstance(value, list) and not all(type(item) is str for item in value):
        raise Invalid(f"{name} must be a list of strings.", field=name)
    if field.choices and value not in field.allowed:
        raise Invalid(f"{name} must be one of: {', '.join(field.allowed)}.", field=name)
    if field.between and isinstance(value, int):
        least, most = field.between
        if not least <= value <= most:
            raise Invalid(f"{name} must be from {least} to {most}.", field=name)
    return value


_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "array": list}


def _text(about: str = "", **more: Any) -> Field:
    return Field("string", about, **more)


def _flag(about: str = "", **more: Any) -> Field:
    return Field("boolean", about, **more)


def _number(about: str = "", **more: Any) -> Field:
    return Field("integer", about, **more)


def _many(shape: Shape | None, about: str = "") -> Field:
    return Field("array", about, of=shape)


_MOMENT = _text("A moment in UTC, RFC 3339.")
_MOMENT_OR_NULL = replace(_MOMENT, nullable=True)
_PASSWORD = _text("The account's password.")
_CODE = _text("A code of the authenticator, or a recovery code. Each is valid once.")
_SHOWN_ONCE = "It is shown only now."
_NEXT = _number("The `after` of the next page; null on the last page.", nullable=True)

ERROR: Shape = {
    "message": _text("The error, as a text for people."),
    "field": _text("The field with the error.", required=False),
}
PAGE: Shape = {
    "after": _number("The id after which the page begins.", required=False, between=(0, 2**53)),
    "limit": _number("The maximum number of items.", required=False, between=(1, 100)),
}

NEW_ACCOUNT: Shape = {
    "username": _text("2 to 25 letters, digits, underscores or hyphens; unique in any letter case."),
    "email": _text("Unique in any letter case."),
    "password": _text("8 to 1024 characters."),
    "invitation": _text("The invitation's secret, if registration is by invitation.", required=False),
}
USERNAME: Shape = {"username": _text()}
LOG_IN: Shape = {
    "username": _text("In the first step, with the password.", required=False),
    "password": _text("", required=False),
    "ticket": _text("In the second step, instead of username and password.", required=False),
    "code": replace(_CODE, required=False),
}
TICKET: Shape = {
    "ticket": _text("Send it with a code."),
    "expires_in": _number("Seconds."),
}
CREATED_SESSION: Shape = {
    "username": _text(),
    "session": _text(f"The session's secret, for `Authorization: Bearer`. {_SHOWN_ONCE}"),
    "csrf_token": _text("For requests with the cookie."),
    "expires_at": _MOMENT,
}
ME: Shape = {
    "username": _text(),
    "email": _text(),
    "email_confirmed": _flag("Whether the address is confirmed. Others get no mail but the confirmation."),
    "rank": _text(choices=accounts.ranks),
    "created_at": _MOMENT,
    "two_factor": _flag("Whether two-factor is on."),
    "two_factor_for_uploads": _flag("Whether uploads need it too."),
    "luadns": _flag("Whether LuaDNS' API is enabled for the account."),
    "session": _number("The id of this session."),
    "csrf_token": _text("For requests with the cookie; null for requests with a Bearer token.", nullable=True),
}
_CODE_IF_ON = replace(_CODE, about=f"Required with two-factor. {_CODE.about}", required=False)
NEW_PASSWORD: Shape = {
    "current_password": _PASSWORD,
    "password": _text("8 to 1024 characters."),
    "code": _CODE_IF_ON,
}
NEW_EMAIL: Shape = {"password": _PASSWORD, "email": _text(), "code": _CODE_IF_ON}
LUADNS: Shape = {"enabled": _flag()}
NAME: Shape = {"name": _text("A username, or a confirmed e-mail address.")}
LINK: Shape = {"token": _text("The last part of the link's path.")}
PASSWORD_BY_LINK: Shape = {**LINK, "password": NEW_PASSWORD["password"], "code": _CODE_IF_ON}

SESSION: Shape = {
    "id": _number(),
    "address": _text("The address of the log-in.", nullable=True),
    "user_agent": _text("", nullable=True),
    "created_at": _MOMENT,
    "last_used_at": replace(_MOMENT_OR_NULL, about="Recorded at most once in ten minutes."),
    "expires_at": _MOMENT,
    "current": _flag("Whether it is the session of this request."),
}
SESSIONS: Shape = {"sessions": _many(SESSION)}

NEW_KEY: Shape = {
    "service": _text(choices=credentials.services),
    "scope": _text(
        "`read`; `module:NAME` (luarocks), `package:AUTHOR/NAME` (contentdb), `package:NAME` (hel), `zone:NAME` "
        "(luadns). The default is full access.",
        required=False,
    ),
    "expires_in_days": _number("By default the key does not expire.", required=False, between=(1, 36500)),
    "comment": _text("The purpose of the key; at most 255 characters.", required=False),
}
KEY: Shape = {
    "id": _number(),
    "service": _text(choices=credentials.services),
    "scope": _text("", nullable=True),
    "comment": _text(),
    "created_at": _MOMENT,
    "expires_at": _MOMENT_OR_NULL,
    "last_used_at": replace(_MOMENT_OR_NULL, about="Recorded at most once in ten minutes."),
    "revoked_at": _MOMENT_OR_NULL,
    "upload_window_until": _MOMENT_OR_NULL,
}
CREATED_KEY: Shape = {**KEY, "key": _text(f"The secret. {_SHOWN_ONCE}")}
KEYS: Shape = {"keys": _many(KEY)}
CODE: Shape = {"code": _CODE}
WINDOW: Shape = {"upload_window_until": _MOMENT}

TWO_FACTOR: Shape = {
    "enabled": _flag(),
    "for_uploads": _flag("Whether uploads to LuaRocks need it."),
    "recovery_codes_left": _number(),
}
ENROLLING: Shape = {
    "secret": _text(f"For an authenticator, in base32. Inactive until a code confirms it. {_SHOWN_ONCE}"),
    "uri": _text("The secret as an otpauth URI, for a QR code."),
}
CONFIRM: Shape = {"password": _PASSWORD, "code": _CODE, "for_uploads": _flag("", required=False)}
PROOF: Shape = {"password": _PASSWORD, "code": _CODE}
FOR_UPLOADS: Shape = {**PROOF, "for_uploads": _flag()}
RECOVERY_CODES: Shape = {"recovery_codes": _many(None, f"Each is valid once. {_SHOWN_ONCE}")}

SSH_HOST: Shape = {
    "server": _text("HOST:PORT."),
    "host_key": _text("The key that the server showed first. Another one is refused."),
    "fingerprint": _text(),
    "first_seen_at": _MOMENT,
}
SSH_KEY: Shape = {
    "public_key": _text("Add it to your Git host, as a deploy key that can read; null without a key.", nullable=True),
    "fingerprint": _text("", nullable=True),
    "created_at": _MOMENT_OR_NULL,
    "hosts": _many(SSH_HOST, "The servers from which private repositories were fetched."),
}

ACTIVITY_PAGE: Shape = {
    "before": _text("The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
    "actor": _text("Only actions of this user.", required=False),
    "action": _text("Only this action, such as `rock.publish`, or all of `rock`.", required=False),
    "subject": _text("Only subjects that contain this text.", required=False),
    "since": replace(_MOMENT, about="Only actions at or after this moment.", required=False),
    "until": replace(_MOMENT, about="Only actions before this moment.", required=False),
}
SERVER_ACTIVITY_PAGE: Shape = {
    **ACTIVITY_PAGE,
    "account": _text("Only the log of this account, instead of the server's.", required=False),
}
ENTRY: Shape = {
    "at": _MOMENT,
    "text": _text("The action as a sentence."),
    "action": _text(),
    "subject": _text(),
    "account": _text("The account whose log has the entry; null for a deleted one.", nullable=True),
    "by": _text("The actor; null without a session, on the command line, or for a deleted account.", nullable=True),
    "credential": _number("The id of the actor's key or session.", nullable=True),
    "service": _text(
        "What it is for: a service, or `session`. Null for the actions of others, as the next two.", nullable=True
    ),
    "key": _text("Its comment.", nullable=True),
    "address": _text("The actor's network address.", nullable=True),
    "detail": Field("object", "The action's details.", nullable=True),
}
ACTIVITY: Shape = {
    "activity": _many(ENTRY),
    "next": _text("The `before` of the next page; null on the last page.", nullable=True),
}

MEMBER: Shape = {
    "id": _number(),
    "username": _text(),
    "email": _text("For administrators; null for moderators.", nullable=True),
    "rank": _text(choices=accounts.ranks),
    "suspended": _flag(),
    "created_at": _MOMENT,
    "two_factor": _flag(),
    "luadns": _flag(),
}
WORK: Shape = {"service": _text(), "name": _text(), "path": _text("Below the server's address.")}
PERSON: Shape = {
    **MEMBER,
    "keys": replace(_many(KEY, "For administrators; null for moderators."), nullable=True),
    "sessions": replace(_many(SESSION, "For administrators; null for moderators."), nullable=True),
    "works": _many(WORK, "The account's public works."),
}
RESET_PASSWORD: Shape = {"password": _text("8 to 1024 characters.")}
MEMBERS: Shape = {"members": _many(MEMBER), "next": _NEXT}
MEMBER_CHANGES: Shape = {
    "rank": _text(choices=accounts.ranks, required=False),
    "suspended": _flag("", required=False),
    "luadns": _flag("", required=False),
}

NEW_INVITATION: Shape = {
    "rank": _text("The default is MEMBER.", choices=accounts.ranks, required=False),
    "email": _text("The only address that can use it.", required=False),
    "expires_in_days": _number("The default is 7.", required=False, between=(1, 365)),
    "comment": _text("At most 255 characters.", required=False),
    "mail": _flag("Send the invitation to the address; it is then not in the response.", required=False),
}
INVITATION: Shape = {
    "id": _number(),
    "rank": _text(choices=accounts.ranks),
    "email": _text("", nullable=True),
    "comment": _text(),
    "created_at": _MOMENT,
    "expires_at": _MOMENT,
    "state": _text(choices=("open", "used", "revoked", "expired")),
    "used_by": _text("The account that was created with it.", nullable=True),
    "mailed": _flag("Whether it was sent to the address."),
}
CREATED_INVITATION: Shape = {**INVITATION, "invitation": _text(f"The secret. {_SHOWN_ONCE}", nullable=True)}
INVITATIONS: Shape = {"invitations": _many(INVITATION), "next": _NEXT}
