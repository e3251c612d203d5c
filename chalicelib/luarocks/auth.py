"""LuaRocks' credential, an API key, to a caller; and its second factor."""

from chalicelib import settings
from chalicelib.core import credentials, two_factor
from chalicelib.core.accounts import Suspended
from chalicelib.core.caller import Caller
from chalicelib.core.credentials import Revoked
from chalicelib.core.errors import Forbidden, Invalid, Unauthenticated
from chalicelib.core.two_factor import NotEnabled
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme, SecondFactor

_CHALLENGE = 'Basic realm="LuaRocks", charset="UTF-8"'


def key(request: Request) -> Caller:
    """Whose API key is in the path, or in the Authorization header when the path says `bearer`.

    Raises Unauthenticated or Forbidden with luarocks.org's texts; the client adds a hint to "Invalid key".
    """
    secret = request.params["key"]
    if secret == "bearer":  # noqa: S105
        if request.bearer is None:
            raise Unauthenticated("Missing or malformed Authorization header")
        secret = request.bearer
    return _identify(secret)


def reader(request: Request) -> Caller | None:
    """Who may read the rock server: everybody, or who has a key, where the settings say so.

    `luarocks` sends the key of `--only-server=http://user:KEY@host` as a password; the user name is not looked at.
    Raises Unauthenticated, with the challenge without which wget sends no password, or Forbidden.
    """
    if settings.current().luarocks_reads == "public":
        return None
    secret = request.basic[1] if request.basic else request.bearer
    try:
        return _identify(secret or "")
    except Unauthenticated:
        raise Unauthenticated("This server is private: it is read with a key.", challenge=_CHALLENGE) from None


def _identify(secret: str) -> Caller:
    try:
        return credentials.identify(secret, "luarocks")
    except Revoked:
        raise Forbidden("The API key you provided has been revoked") from None
    except Suspended:
        raise Forbidden("Your account has been suspended") from None


def use_code(caller: Caller, code: str) -> None:
    """Use up a code of the second factor. Raises Invalid where two-factor is off, and as two_factor.verify."""
    try:
        two_factor.verify(caller.account, code)
    except NotEnabled as error:
        raise Invalid(error.message) from None


def upload_token(request: Request, caller: Caller) -> None:
    """Raises SecondFactorRequired unless a token from verify_tfa came along, where the account wants one."""
    two_factor.require(caller, request.headers.get("x-tfa-token") or request.form.get("tfa_token"))


UPLOAD_TOKEN = SecondFactor("upload token", upload_token)
CODE = SecondFactor("code")  # in the body
KEY = Scheme("key", key, UPLOAD_TOKEN)
READER = Scheme("key, if reads are private", reader)

MODULE_OWNER = Permission("owner of the module")
MODULE_HOLDER = Permission("holder of the module")  # the account whose name is in its path
MODULE_HOLDER_OR_SELF = Permission("holder of the module, or the owner in the path")
MANIFEST_ADMIN = Permission("admin of the manifest")
MANIFEST_ADMIN_OR_OPEN = Permission("admin of the manifest; owner of the module, if the manifest is open")
MANIFEST_ADMIN_OR_MODULE_OWNER = Permission("admin of the manifest, or owner of the module")
