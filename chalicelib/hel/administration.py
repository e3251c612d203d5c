"""The second factor that administrators need for packages and files of others."""

from chalicelib.core.caller import Caller
from chalicelib.hel import auth, index
from chalicelib.web.request import Request
from chalicelib.web.route import SecondFactor


def _check(request: Request, caller: Caller) -> None:
    if auth.is_admin(caller) and not _owns(request, caller):
        auth.check_recent_code(request, caller)


def _owns(request: Request, caller: Caller) -> bool:
    """Whether the file or the package in the path is the caller's."""
    if "nick" in request.params:
        return auth.is_self(request, caller)
    entry = index.find(index.catalogue.snapshot(), request.params["owner"])
    return entry is not None and caller.account.username.lower() in {owner.lower() for owner in entry.value.owners}


RECENT_CODE_FOR_OTHERS = SecondFactor("recent code of two-factor, for objects of others", _check)
