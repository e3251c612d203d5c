"""The bytes of the account API: parses bodies and queries, renders responses as JSON."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from chalicelib.account import csrf, fields
from chalicelib.account.fields import Shape
from chalicelib.account.profile import LUADNS
from chalicelib.core.activity import Described
from chalicelib.core.caller import Caller
from chalicelib.core.errors import CoreError, Invalid, NotFound, Unauthenticated
from chalicelib.core.identity import accounts, credentials, invitations, sessions, two_factor, upload_factor
from chalicelib.core.mail import transport
from chalicelib.core.notifications import inbox, preferences
from chalicelib.core.outbound.ssh_urls import fingerprint
from chalicelib.core.tables import Account, Credential, Invitation, Notification, SshHost, SshKey
from chalicelib.web.atom import FeedEntry
from chalicelib.web.conditional import etag_of
from chalicelib.web.errors import headers_of, status_of
from chalicelib.web.html import error_page, wants_html
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response, redirect
from chalicelib.web.slice import Work

JSON = dict[str, Any]


def read(request: Request, shape: Shape) -> JSON:
    """The fields of the body, see fields.read. Raises Invalid."""
    return fields.read(request.json, shape)


def read_query(request: Request, shape: Shape) -> JSON:
    """The fields of the query, with numbers as integers. Raises Invalid."""
    given = {name: values[0] for name, values in request.query.items()}
    return fields.read({name: _number_or_text(shape, name, value) for name, value in given.items()}, shape)


def read_id(request: Request) -> int:
    """The id in the path. Raises NotFound if it is not a number."""
    return parse_id(request.params["id"])


def parse_id(text: str) -> int:
    """Parse an id. Raises NotFound if it is not a number."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NotFound("There is nothing with this id.")
    return int(text)


def render(data: JSON, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Response:
    """A successful response."""
    return json_response(data, status, headers or [])


def render_document(document: JSON) -> Response:
    """A document that is the same for all clients until the next version."""
    response = json_response(document)
    response.headers += [("Cache-Control", "public, max-age=3600"), ("ETag", etag_of(response.body))]
    return response


def render_no_content(headers: list[tuple[str, str]] | None = None) -> Response:
    """A successful response without a body."""
    return Response(204, headers=headers or [])


def render_error(request: Request, error: CoreError) -> Response:
    """`{"message": ...}`, and the error's `field` if it has one. Browsers that request a page get a page."""
    if request.segments[1:2] != ("api",) and wants_html(request):
        return _log_in_first(request) if isinstance(error, Unauthenticated) else error_page(request, error)
    about = {"field": error.detail["field"]} if "field" in error.detail else {}
    return json_response({"message": error.message, **about}, status_of(error), headers_of(error))


def finish(request: Request, response: Response) -> None:
    """Forbid caching unless the response permits it, because most responses contain secrets or personal data."""
    if response.header("Cache-Control") is None:
        response.headers.append(("Cache-Control", "no-store"))


def moment(at: datetime | float | None) -> str | None:
    """A time as `2026-03-01T12:00:00Z`, from a datetime or epoch seconds; None for None."""
    if at is None:
        return None
    found = at if isinstance(at, datetime) else datetime.fromtimestamp(int(at), UTC)
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def created_session(caller: Caller, secret: str) -> JSON:
    """A new session."""
    return {
        "username": caller.account.username,
        "session": secret,
        "csrf_token": csrf.token_for(secret),
        "expires_at": moment(caller.credential.ends_at),
    }


def me(request: Request, caller: Caller) -> JSON:
    """The caller's account."""
    account = caller.account
    return {
        "username": account.username,
        "email": account.email,
        "email_confirmed": account.email == account.confirmed_email,
        "rank": account.rank,
        "created_at": moment(account.created_at),
        "two_factor": account.two_factor is not None,
        "two_factor_for_uploads": account.second_factor_for_uploads,
        "luadns": accounts.is_on(account, LUADNS),
        "session": int(caller.credential.id),
        "csrf_token": None if request.bearer else csrf.token_of(request),
    }


def session(caller: Caller, credential: Credential) -> JSON:
    """A session of the caller or, for an administrator, of another account."""
    return {
        "id": int(credential.id),
        "address": credential.address,
        "user_agent": credential.user_agent,
        "created_at": moment(credential.created_at),
        "last_used_at": moment(credential.last_used_at),
        "expires_at": moment(credential.ends_at),
        "current": bool(credential.id == caller.credential.id),
    }


def key(account: Account, credential: Credential) -> JSON:
    """A key of an account, without its secret."""
    return {
        "id": int(credential.id),
        "service": credential.service,
        "scope": credential.scope,
        "comment": credential.comment,
        "created_at": moment(credential.created_at),
        "expires_at": moment(credential.ends_at),
        "last_used_at": moment(credential.last_used_at),
        "revoked_at": moment(credential.revoked_at),
        "upload_window_until": moment(upload_factor.window_of(account, credential)),
    }


def ssh_key(stored: SshKey | None, hosts: list[SshHost]) -> JSON:
    """The public half of an SSH key, and the pinned host keys."""
    return {
        "public_key": f"{stored.public} moonbase" if stored else None,
        "fingerprint": fingerprint(stored.public) if stored else None,
        "created_at": moment(stored.created_at if stored else None),
        "hosts": [
            {
                "server": host.server,
                "host_key": host.public,
                "fingerprint": fingerprint(host.public),
                "first_seen_at": moment(host.first_seen_at),
            }
            for host in hosts
        ],
    }


def two_factor_of(account: Account) -> JSON:
    """The state of an account's second factor."""
    return {
        "enabled": account.two_factor is not None,
        "for_uploads": account.second_factor_for_uploads,
        "recovery_codes_left": two_factor.recovery_codes_left(account),
    }


def entry(found: Described) -> JSON:
    """An entry of the activity log."""
    written = found.entry
    return {
        "at": moment(written.at),
        "text": found.text,
        "action": written.action,
        "subject": written.subject,
        "account": found.account,
        "by": found.actor,
        "credential": int(written.credential_id) if written.credential_id else None,
        "service": found.service,
        "key": found.key,
        "address": found.address,
        "detail": written.detail,
    }


def member(caller: Caller, account: Account) -> JSON:
    """An account, for its administrators."""
    return {
        "id": int(account.id),
        "username": account.username,
        "email": account.email if caller.account.rank == "ADMIN" else None,
        "rank": account.rank,
        "suspended": account.suspended,
        "created_at": moment(account.created_at),
        "two_factor": account.two_factor is not None,
        "luadns": accounts.is_on(account, LUADNS),
    }


def person(caller: Caller, account: Account, works: Iterable[tuple[str, Work]]) -> JSON:
    """An account with its keys and sessions, for administrators, and its works, each with the name of its service."""
    is_shown = caller.account.rank == "ADMIN"
    return {
        **member(caller, account),
        "keys": [key(account, one) for one in credentials.list_keys(account)] if is_shown else None,
        "sessions": [session(caller, one) for one in sessions.list_sessions(account)] if is_shown else None,
        "works": [{"service": service, "name": work.name, "path": work.path} for service, work in works],
    }


def invitation(given: Invitation) -> JSON:
    """An invitation, without its secret."""
    return {
        "id": int(given.id),
        "rank": given.rank,
        "email": given.email,
        "comment": given.comment,
        "created_at": moment(given.created_at),
        "expires_at": moment(given.ends_at),
        "state": invitations.state_of(given),
        "used_by": given.username,
        "mailed": given.mailed,
    }


def notification(given: Notification, read_until: int) -> JSON:
    """A notification; `read_until` is that of its account."""
    return {
        "id": given.sk,
        "at": moment(int(given.id) // 1_000_000),
        "kind": given.about,
        "subject": given.subject,
        "text": given.text,
        "link": given.link,
        "read": inbox.is_read(given, read_until),
    }


def feed_entry(request: Request, account: Account, given: Notification) -> FeedEntry:
    """A notification as an entry of the account's feed."""
    return FeedEntry(
        id=f"urn:moonbase:inbox:{int(account.id)}:{given.sk}",
        title=given.subject,
        at=datetime.fromtimestamp(int(given.id) // 1_000_000, UTC),
        link=request.base_url + (given.link or "/account/notifications"),
        text=given.text or "",
    )


def notification_settings(account: Account) -> JSON:
    """The channels of an account's notifications, and the state of its mail."""
    return {
        "sends_mail": transport.is_on(),
        "email_confirmed": account.email == account.confirmed_email,
        "daily_digest": account.daily_digest,
        "kinds": [
            {
                "kind": kind.name,
                "title": kind.title,
                "channel": preferences.channel_of(account, kind),
                "essential": kind.essential,
            }
            for kind in preferences.shown_kinds()
        ],
    }


def _log_in_first(request: Request) -> Response:
    """A redirect to the log-in page, which returns to the requested page."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in request.segments[1:])
    return redirect(f"/account/log-in?{urlencode({'next': path})}", 303)


def _number_or_text(shape: Shape, name: str, text: str) -> Any:
    field = shape.get(name)
    if field is None or field.kind != "integer":
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Invalid(f"{name} must be a whole number.", field=name)
    return int(text)
