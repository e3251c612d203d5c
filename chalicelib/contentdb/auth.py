"""Authenticates ContentDB's credential, a Bearer token."""

from collections.abc import Callable

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.permissions import PackageAction, at_least
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Invalid, Unauthenticated
from chalicelib.core.identity import credentials, proof
from chalicelib.core.identity.accounts import Suspended
from chalicelib.core.identity.credentials import Revoked
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme, SecondFactor

SERVICE = "contentdb"
_SHORTEST = 10


def optional(request: Request) -> Caller | None:
    """The caller; None without an Authorization header. Raises Invalid or Forbidden, with ContentDB's texts."""
    given = request.headers.get("authorization", "").strip()
    if not given:
        return None
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer":
        raise Forbidden("Unsupported authentication method")
    if len(token.strip()) < _SHORTEST:
        raise Invalid("API token is too short")
    try:
        caller = credentials.identify(token.strip(), SERVICE)
    except (Unauthenticated, Revoked):
        raise Forbidden("Unknown API token") from None
    except Suspended:
        raise Forbidden("Your account has been suspended") from None
    if caller.account.rank == "BANNED":
        raise Forbidden("Your account has been banned")
    return caller


def required(request: Request) -> Caller:
    """The caller; raises Unauthenticated without one."""
    if caller := optional(request):
        return caller
    raise Unauthenticated("Authentication needed")


def for_package(request: Request) -> Caller:
    """The caller, for the package in the path; the package is looked up first, as upstream does."""
    registry.get(index.catalogue.snapshot(), request.params["author"], request.params["name"])
    return required(request)


def may(action: PackageAction) -> Permission:
    """ContentDB's permission for an action on the package in the path, see store/permissions.py."""
    return Permission(f"package: {action.name.lower().replace('_', ' ')}")


def _recent_code(is_own: Callable[[Request, Caller], bool]) -> SecondFactor:
    """Require a recent code of accounts whose rank lets them change objects of others, unless the object is their own.

    The code is in the header `X-TFA-Code`; accounts without a second factor need none.
    """

    def check(request: Request, caller: Caller) -> None:
        if at_least(caller.account, "APPROVER") and not is_own(request, caller):
            proof.require_recent(caller, request.second_factor_code)

    return SecondFactor("recent code of two-factor, for objects of others", check)


def _is_in_path(request: Request, caller: Caller) -> bool:
    """Whether the path has the caller's name, as the author's or the user's."""
    return caller.account.username in (request.params.get("author"), request.params.get("username"))


def _maintains(request: Request, caller: Caller) -> bool:
    """Whether the caller is the author or a listed maintainer of the package in the path."""
    entry = index.find(index.catalogue.snapshot(), f"{request.params['author']}/{request.params['name']}")
    return _is_in_path(request, caller) or (entry is not None and caller.account.username in entry.value.maintainers)


def token_for_package(authenticate: Callable[[Request], Caller]) -> Scheme:
    """The scheme of routes that change a package."""
    return Scheme("token", authenticate, CODE_FOR_OTHERS_PACKAGE)


CODE_FOR_OTHERS_PACKAGE = _recent_code(_maintains)
CODE_FOR_OTHERS_NAME = _recent_code(_is_in_path)
CODE_FOR_ANY = _recent_code(lambda request, caller: False)  # the path does not name the author of the object

TOKEN = Scheme("token", required)
TOKEN_OR_NONE = Scheme("token or none", optional)
PACKAGE_TOKEN = token_for_package(for_package)
