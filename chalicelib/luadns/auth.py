"""LuaDNS' credential, an e-mail address and an API key by HTTP Basic, to a caller."""

from chalicelib import settings
from chalicelib.core import accounts, credentials
from chalicelib.core.caller import Caller
from chalicelib.core.credentials import Rate, Revoked
from chalicelib.core.errors import Forbidden, Unauthenticated
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request

SWITCH = "luadns_enabled"  # of an account: the API is closed to it until it is opened
WINDOW = 300  # seconds, aligned to the clock as the real server's are
_ACCEPTED = {"application/json", "application/*", "*/*", "text/dns"}  # the last for zone files


def key(request: Request) -> Caller:
    """Whose API key came along; an empty user name goes with every key, another must be the account's address.

    Raises Forbidden, Unauthenticated or TooMany with the real server's texts. A caller who is known and refused all
    the same stands in the request, so that the answer tells of their requests.
    """
    if not _accepts_json(request):
        raise Forbidden("Invalid 'Accept' header")
    if request.basic is None:
        raise _unknown()
    user, secret = request.basic
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


def rate() -> Rate | None:
    """How often a key may be used; None is as often as one likes."""
    limit = settings.current().luadns_rate
    return Rate(limit, WINDOW) if limit else None


def _accepts_json(request: Request) -> bool:
    """Whether the answer may be JSON by the Accept header, which must be there."""
    accepted = offers(request.headers.get("accept", ""))
    return any(accepted.get(kind, 0) > 0 for kind in _ACCEPTED)


def _unknown() -> Unauthenticated:
    return Unauthenticated("Invalid API Key")
