"""Tokens that sign webhooks.

Only the hash of a token is stored. A host such as GitHub signs with the token itself, so a token that is made for
webhooks keeps a sealed copy of its secret, in the partition of its package: no other token is ever tried.
"""

import hmac
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import PackageAction, require, require_token_for
from chalicelib.contentdb.store.tables import HookToken
from chalicelib.core import sealing
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict
from chalicelib.core.identity import credentials
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Credential, now

SERVICE = "contentdb"
MOST = 10  # of a package


def create(account: Account, parts: Parts, by: Caller | None = None) -> tuple[Credential, str]:
    """Make a token for webhooks of a package; return it and its secret. `by` None is the administrator.

    It is valid for this package only, and expires with the token that made it. Raises Forbidden or Conflict.
    """
    package = parts.package
    if by:
        require_token_for(by, package)
    require(account, PackageAction.MAKE_RELEASE, package, "You don't have permission to make releases")
    live = list(_live(parts))
    if len(live) >= MOST:
        raise Conflict(f"A package has at most {MOST} tokens for webhooks: revoke unused ones first")

    def keep(writes: Transaction, credential: Credential, secret: str) -> None:
        for token in parts.hook_tokens:
            if token not in live:
                writes.delete(token)
        sk = f"hook-token#{int(credential.id)}"
        writes.create(HookToken(package.pk, sk, account_id=account.id, sealed=sealing.seal(secret, package.pk)))

    scope, comment = f"package:{package.key}", f"Webhook of {package.key}"
    ends_after = _rest_of(by.credential) if by else None
    return credentials.create(account, SERVICE, scope=scope, ends_after=ends_after, comment=comment, by=by, keep=keep)


def signer(parts: Parts, body: bytes, algorithm: str, signature: str) -> str | None:
    """The secret of the package's token with which a body was signed; None if there is no such token."""
    given = signature.encode()
    for token in parts.hook_tokens:
        secret = _secret(token.sealed, token.pk)
        if hmac.compare_digest(hmac.new(secret.encode(), body, algorithm).hexdigest().encode(), given):
            return secret
    return None


def _live(parts: Parts) -> Iterator[HookToken]:
    """The package's tokens that are not revoked and not expired."""
    for token in parts.hook_tokens:
        secret = _secret(token.sealed, token.pk)
        found = Credential.find(f"credential#{credentials.hash_of(secret)}", "credential")
        if found and not found.revoked_at and not (found.ends_at and found.ends_at <= now()):
            yield token


def _rest_of(credential: Credential) -> timedelta | None:
    return credential.ends_at - now() if credential.ends_at else None


@lru_cache(maxsize=1024)
def _secret(sealed: str, purpose: str) -> str:
    """The secret of a token; cached, because KMS takes its time."""
    return sealing.unseal(sealed, purpose)
