"""Authentication for LuaDNS: HTTP Basic with an e-mail address and an API key."""

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Unauthenticated
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.identity.credentials import Rate, Revoked
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme

SWITCH = "luadns_enabled"  # the account's attribute: the API is disabled for it by default
WINDOW = 300  # seconds; windows are aligned to the clock, as the real server's are
_ACCEPTED = {"application/json", "application/*", "*/*", "text/dns"}  # zone files are text/dns


def key(request: Request) -> Caller:
    """Return the caller whose API key is the password of HTTP Basic.

    The user name is empty or the account's e-mail address. Raises Forbidden, Unauthenticated or TooMany with the real
    server's texts. The caller is stored in the request even if the API is disabled for the account, so that the
    response has rate limit headers.
    """
    if not _accepts_json(request):
        raise Forbidden("Invalid 'Accept' header")
    return text_key(request)


def text_key(request: Request) -> Caller:
    """The same for requests whose answer is text, with any Accept header."""
    if request.basic is None:
        raise _unknown()
    user, secret = request.basic
    return _caller(request, secret, user)


def key_in_path(request: Request) -> Caller:
    """Return the caller whose API key is in the path: Git hosts send no other credential. Raises the same errors."""
    return _caller(request, request.params["key"], "")


def rate() -> Rate | None:
    """The rate limit of a key; None means no limit."""
    limit = settings.current().luadns_rate
    return Rate(limit, WINDOW) if limit else None


def _caller(request: Request, secret: str, user: str) -> Caller:
    try:
        caller = credentials.identify(secret, "luadns", rate())
    except (Unauthenticated, Revoked):
        raise _unknown() from None
    if user and user.lower() != caller.account.email.lower():
        raise _unknown()
    request.caller = caller
    if not accounts.is_on(caller.account, SWITCH):
        raise Forbidden("API access is disabled for this account.")
    return caller


def _accepts_json(request: Request) -> bool:
    """Whether the Accept header, which is required, allows JSON."""
    accepted = offers(request.headers.get("accept", ""))
    return any(accepted.get(kind, 0) > 0 for kind in _ACCEPTED)


def _unknown() -> Unauthenticated:
    return Unauthenticated("Invalid API Key")


KEY = Scheme("e-mail address and key", key)
KEY_IN_PATH = Scheme("key in the path", key_in_path)
TEXT_KEY = Scheme("e-mail address and key, for text", text_key)
ZONE_OWNER = Permission("owner of the zone")
