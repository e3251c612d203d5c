"""Authenticates ContentDB's credential, a Bearer token."""

from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.core import credentials
from chalicelib.core.accounts import Suspended
from chalicelib.core.caller import Caller
from chalicelib.core.credentials import Revoked
from chalicelib.core.errors import Forbidden, Invalid, Unauthenticated
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme

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


TOKEN = Scheme("token", required)
TOKEN_OR_NONE = Scheme("token or none", optional)
PACKAGE_TOKEN = Scheme("token", for_package)
