"""The JSON of requests and responses, declared once for validation and for the OpenAPI document."""

from dataclasses import replace

from chalicelib.account.fields import MOMENT, MOMENT_OR_NULL, Field, Shape, flag, many, number, text
from chalicelib.core.identity import accounts, credentials

_PASSWORD = text("The account's password.")
_CODE = text("A code of the authenticator, or a recovery code. Each is valid once.")
_SHOWN_ONCE = "It is shown only now."
_NEXT = number("The `after` of the next page; null on the last page.", nullable=True)

ERROR: Shape = {
    "message": text("The error, as a text for people."),
    "field": text("The field with the error.", required=False),
}
PAGE: Shape = {
    "after": number("The id after which the page begins.", required=False, between=(0, 2**53)),
    "limit": number("The maximum number of items.", required=False, between=(1, 100)),
}

NEW_ACCOUNT: Shape = {
    "username": text("2 to 25 letters, digits, underscores or hyphens; unique in any letter case."),
    "email": text("Unique in any letter case."),
    "password": text("8 to 1024 characters."),
    "invitation": text("The invitation's secret, if registration is by invitation.", required=False),
}
USERNAME: Shape = {"username": text()}
LOG_IN: Shape = {
    "username": text("In the first step, with the password.", required=False),
    "password": text("", required=False),
    "ticket": text("In the second step, instead of username and password.", required=False),
    "code": replace(_CODE, required=False),
}
TICKET: Shape = {
    "ticket": text("Send it with a code."),
    "expires_in": number("Seconds."),
}
CREATED_SESSION: Shape = {
    "username": text(),
    "session": text(f"The session's secret, for `Authorization: Bearer`. {_SHOWN_ONCE}"),
    "csrf_token": text("For requests with the cookie."),
    "expires_at": MOMENT,
}
ME: Shape = {
    "username": text(),
    "email": text(),
    "email_confirmed": flag(
        "Whether the address is confirmed. Other addresses receive only the mail that confirms them."
    ),
    "rank": text(choices=accounts.ranks),
    "created_at": MOMENT,
    "two_factor": flag("Whether two-factor is on."),
    "two_factor_for_uploads": flag("Whether uploads need it too."),
    "luadns": flag("Whether LuaDNS' API is enabled for the account."),
    "session": number("The id of this session."),
    "csrf_token": text("For requests with the cookie; null for requests with a Bearer token.", nullable=True),
}
_CODE_IF_ON = replace(_CODE, about=f"Required with two-factor. {_CODE.about}", required=False)
NEW_PASSWORD: Shape = {
    "current_password": _PASSWORD,
    "password": text("8 to 1024 characters."),
    "code": _CODE_IF_ON,
}
NEW_EMAIL: Shape = {"password": _PASSWORD, "email": text(), "code": _CODE_IF_ON}
LUADNS: Shape = {"enabled": flag()}
NAME: Shape = {"name": text("A username, or a confirmed e-mail address.")}
LINK: Shape = {"token": text("The last part of the link's path.")}
PASSWORD_BY_LINK: Shape = {**LINK, "password": NEW_PASSWORD["password"], "code": _CODE_IF_ON}

SESSION: Shape = {
    "id": number(),
    "address": text("The address of the log-in.", nullable=True),
    "user_agent": text("", nullable=True),
    "created_at": MOMENT,
    "last_used_at": replace(MOMENT_OR_NULL, about="Recorded at most once in ten minutes."),
    "expires_at": MOMENT,
    "current": flag("Whether it is the session of this request."),
}
SESSIONS: Shape = {"sessions": many(SESSION)}

NEW_KEY: Shape = {
    "service": text(choices=credentials.services),
    "scope": text(
        "`read`; `module:NAME` (luarocks), `package:AUTHOR/NAME` (contentdb), `package:NAME` (hel), `zone:NAME` "
        "(luadns). The default is full access.",
        required=False,
    ),
    "expires_in_days": number("By default the key does not expire.", required=False, between=(1, 36500)),
    "comment": text("The purpose of the key; at most 255 characters.", required=False),
}
KEY: Shape = {
    "id": number(),
    "service": text(choices=credentials.services),
    "scope": text("", nullable=True),
    "comment": text(),
    "created_at": MOMENT,
    "expires_at": MOMENT_OR_NULL,
    "last_used_at": replace(MOMENT_OR_NULL, about="Recorded at most once in ten minutes."),
    "revoked_at": MOMENT_OR_NULL,
    "upload_window_until": MOMENT_OR_NULL,
}
CREATED_KEY: Shape = {**KEY, "key": text(f"The secret. {_SHOWN_ONCE}")}
KEYS: Shape = {"keys": many(KEY)}
CODE: Shape = {"code": _CODE}
WINDOW: Shape = {"upload_window_until": MOMENT}

TWO_FACTOR: Shape = {
    "enabled": flag(),
    "for_uploads": flag("Whether uploads to LuaRocks need it."),
    "recovery_codes_left": number(),
}
ENROLLING: Shape = {
    "secret": text(f"For an authenticator, in base32. Inactive until a code confirms it. {_SHOWN_ONCE}"),
    "uri": text("The secret as an otpauth URI, for a QR code."),
}
CONFIRM: Shape = {"password": _PASSWORD, "code": _CODE, "for_uploads": flag("", required=False)}
PROOF: Shape = {"password": _PASSWORD, "code": _CODE}
FOR_UPLOADS: Shape = {**PROOF, "for_uploads": flag()}
RECOVERY_CODES: Shape = {"recovery_codes": many(None, f"Each is valid once. {_SHOWN_ONCE}")}

SSH_HOST: Shape = {
    "server": text("HOST:PORT."),
    "host_key": text("The key that the server showed first. Another one is refused."),
    "fingerprint": text(),
    "first_seen_at": MOMENT,
}
SSH_KEY: Shape = {
    "public_key": text("Add it to your Git host, as a deploy key that can read; null without a key.", nullable=True),
    "fingerprint": text("", nullable=True),
    "created_at": MOMENT_OR_NULL,
    "hosts": many(SSH_HOST, "The servers from which private repositories were fetched."),
}

ACTIVITY_PAGE: Shape = {
    "before": text("The `next` of the previous page.", required=False),
    "limit": PAGE["limit"],
    "actor": text("Only actions of this user.", required=False),
    "action": text("Only this action, such as `rock.publish`, or all of `rock`.", required=False),
    "subject": text("Only subjects that contain this text.", required=False),
    "since": replace(MOMENT, about="Only actions at or after this moment.", required=False),
    "until": replace(MOMENT, about="Only actions before this moment.", required=False),
}
SERVER_ACTIVITY_PAGE: Shape = {
    **ACTIVITY_PAGE,
    "account": text("Only the log of this account, instead of the server's.", required=False),
}
ENTRY: Shape = {
    "at": MOMENT,
    "text": text("The action as a sentence."),
    "action": text(),
    "subject": text(),
    "account": text("The account whose log has the entry; null for a deleted one.", nullable=True),
    "by": text("The actor; null without a session, on the command line, or for a deleted account.", nullable=True),
    "credential": number("The id of the actor's key or session.", nullable=True),
    "service": text(
        "What it is for: a service, or `session`. Null for the actions of others, as the next two.", nullable=True
    ),
    "key": text("Its comment.", nullable=True),
    "address": text("The actor's network address.", nullable=True),
    "detail": Field("object", "The action's details.", nullable=True),
}
ACTIVITY: Shape = {
    "activity": many(ENTRY),
    "next": text("The `before` of the next page; null on the last page.", nullable=True),
}

MEMBER: Shape = {
    "id": number(),
    "username": text(),
    "email": text("For administrators; null for moderators.", nullable=True),
    "rank": text(choices=accounts.ranks),
    "suspended": flag(),
    "created_at": MOMENT,
    "two_factor": flag(),
    "luadns": flag(),
}
WORK: Shape = {"service": text(), "name": text(), "path": text("Below the server's address.")}
PERSON: Shape = {
    **MEMBER,
    "keys": replace(many(KEY, "For administrators; null for moderators."), nullable=True),
    "sessions": replace(many(SESSION, "For administrators; null for moderators."), nullable=True),
    "works": many(WORK, "The account's public works."),
}
RESET_PASSWORD: Shape = {"password": text("8 to 1024 characters.")}
MEMBERS: Shape = {"members": many(MEMBER), "next": _NEXT}
MEMBER_CHANGES: Shape = {
    "rank": text(choices=accounts.ranks, required=False),
    "suspended": flag("", required=False),
    "luadns": flag("", required=False),
}

NEW_INVITATION: Shape = {
    "rank": text("The default is MEMBER.", choices=accounts.ranks, required=False),
    "email": text("The only address that can use it.", required=False),
    "expires_in_days": number("The default is 7.", required=False, between=(1, 365)),
    "comment": text("At most 255 characters.", required=False),
    "mail": flag("Send the invitation to the address; it is then not in the response.", required=False),
}
INVITATION: Shape = {
    "id": number(),
    "rank": text(choices=accounts.ranks),
    "email": text("", nullable=True),
    "comment": text(),
    "created_at": MOMENT,
    "expires_at": MOMENT,
    "state": text(choices=("open", "used", "revoked", "expired")),
    "used_by": text("The account that was created with it.", nullable=True),
    "mailed": flag("Whether it was sent to the address."),
}
CREATED_INVITATION: Shape = {**INVITATION, "invitation": text(f"The secret. {_SHOWN_ONCE}", nullable=True)}
INVITATIONS: Shape = {"invitations": many(INVITATION), "next": _NEXT}
