"""Authenticates an API key, and checks the second factor."""

import re

from chalicelib import settings
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Forbidden, Invalid, SecondFactorRequired, Unauthenticated
from chalicelib.core.identity import credentials, proof, two_factor, upload_factor
from chalicelib.core.identity.accounts import Suspended
from chalicelib.core.identity.credentials import Revoked
from chalicelib.core.identity.two_factor import NotEnabled
from chalicelib.luarocks import custom_manifests
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.route import Permission, Scheme, SecondFactor

_BY_HEADER = f"A request of more than {SMALL} bytes must contain its token in the header X-TFA-Token."
_KEY = re.compile(r"[A-Za-z0-9]{40}")
_CHALLENGE = 'Basic realm="LuaRocks", charset="UTF-8"'


def key(request: Request) -> Caller:
    """The caller with the API key in the path, or in the headers if the path has `bearer` as its key.

    Raises Unauthenticated or Forbidden with luarocks.org's texts; the client adds a hint to "Invalid key".
    """
    secret = request.params["key"]
    if secret == "bearer":  # noqa: S105
        sent = _sent_key(request)
        if sent is None:
            raise Unauthenticated("Missing or malformed Authorization header")
        secret = sent
    return _identify(secret)


def reader(request: Request) -> Caller | None:
    """The caller, if the settings require a key for reading; else None.

    Raises Forbidden, or Unauthenticated with a challenge, without which wget sends no password.
    """
    if settings.current().luarocks_reads == "public":
        return None
    try:
        return _identify(_sent_key(request) or "")
    except Unauthenticated:
        raise Unauthenticated("This server is private: reading requires a key.", challenge=_CHALLENGE) from None


def _sent_key(request: Request) -> str | None:
    """The key in the headers, in the ways in which clients send one; None without.

    `luarocks` sends that of `--only-server=http://user:KEY@host` as a password, or of `http://KEY@host` as a user; lux
    sends `Authorization: Bearer KEY`, `Authorization: token KEY` or `PRIVATE-TOKEN: KEY`.
    """
    if request.basic:
        user, password = request.basic
        return user if _KEY.fullmatch(user) and not _KEY.fullmatch(password) else password
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found = token if scheme.lower() in ("bearer", "token") else request.headers.get("private-token", "")
    return found.strip() or None


def _identify(secret: str) -> Caller:
    try:
        return credentials.identify(secret, "luarocks")
    except Revoked:
        raise Forbidden("The API key you provided has been revoked") from None
    except Suspended:
        raise Forbidden("Your account has been suspended") from None


def use_code(caller: Caller, code: str) -> None:
    """Use up a code of the second factor. Raises Invalid without two-factor, and the errors of two_factor.verify."""
    try:
        two_factor.verify(caller.account, code)
    except NotEnabled as error:
        raise Invalid(error.message) from None


def upload_token(request: Request, caller: Caller) -> None:
    """Raise SecondFactorRequired if the account needs the second factor and there is no valid token of verify_tfa."""
    try:
        upload_factor.require(caller, request.headers.get("x-tfa-token") or request.small_form.get("tfa_token"))
    except SecondFactorRequired as error:
        if request.size > SMALL:
            error.detail["messages"] = [error.message, _BY_HEADER]
        raise


def _manifest_proof(request: Request, caller: Caller) -> None:
    """Check the upload token, and of site administrators a recent code for manifests that are not their own."""
    upload_token(request, caller)
    if caller.account.rank == "ADMIN" and caller.account.two_factor:
        manifest = custom_manifests.find(request.params["manifest"])
        if manifest and caller.account.id not in manifest.admins.values():
            proof.require_recent(caller, request.second_factor_code)


UPLOAD_TOKEN = SecondFactor("upload token", upload_token)
CODE = SecondFactor("code")  # in the body
MANIFEST_PROOF = SecondFactor("upload token; recent code of two-factor, for manifests of others", _manifest_proof)
KEY = Scheme("key", key, UPLOAD_TOKEN)
READER = Scheme("key, if reads are private", reader)

MODULE_OWNER = Permission("owner of the module")
MODULE_HOLDER = Permission("holder of the module")  # the account whose name is in the module's path
MODULE_HOLDER_OR_SELF = Permission("holder of the module, or the owner in the path")
MANIFEST_ADMIN = Permission("admin of the manifest")
MANIFEST_ADMIN_OR_OPEN = Permission("admin of the manifest; owner of the module, if the manifest is open")
MANIFEST_ADMIN_OR_MODULE_OWNER = Permission("admin of the manifest, or owner of the module")
