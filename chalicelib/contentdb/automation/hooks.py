"""What a webhook does: it finds the packages of a repository, and makes a release of one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from chalicelib.contentdb.automation import hook_tokens, repositories
from chalicelib.contentdb.automation.payloads import Hook, Push
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.releases import publishing
from chalicelib.contentdb.releases.publishing import LONGEST_NAME, NewRelease
from chalicelib.contentdb.store.parts import Parts, load_parts
from chalicelib.contentdb.store.permissions import is_maintainer
from chalicelib.contentdb.store.tables import Release
from chalicelib.core.caller import Caller, allows
from chalicelib.core.errors import CoreError, Forbidden, Invalid, NotFound, Unauthenticated
from chalicelib.core.identity import credentials
from chalicelib.core.identity.accounts import Suspended
from chalicelib.core.identity.credentials import Revoked

Authenticate = Callable[[Parts], Caller | None]

_MOST_PACKAGES = 10  # of one repository
_BRANCHES = ("main", "master")
_WRONG = "Invalid authentication, couldn't validate API token"


@dataclass(frozen=True)
class Outcome:
    """The result of a webhook: a release, or why there is none."""

    message: str
    release: Release | None = None
    done: bool = False  # whether a hook without a release has done its work


def by_signature(body: bytes, algorithm: str, signature: str, address: str) -> Authenticate:
    """The caller whose token has signed the body, if the token is valid."""

    def authenticate(parts: Parts) -> Caller | None:
        secret = hook_tokens.signer(parts, body, algorithm, signature)
        return _caller(secret, address) if secret else None

    return authenticate


def by_token(token: str, address: str) -> Authenticate:
    """The caller with a token, if it is valid for the package."""
    find = cache(lambda: _caller(token, address))

    def authenticate(parts: Parts) -> Caller | None:
        caller = find()
        fits = caller and allows(caller.credential.scope, f"package:{parts.package.key}")
        return caller if caller and fits and is_maintainer(caller.account, parts.package) else None

    return authenticate


def receive(snapshot: ContentDbSnapshot, hook: Hook, authenticate: Authenticate, refusal: CoreError) -> Outcome:
    """Make the release that a webhook asks for, of the first package that wants it.

    Raises Invalid for an unknown repository or event, `refusal` if no package of the repository accepts the
    credential, and the errors of a new release.
    """
    found = repositories.packages_at(snapshot, hook.addresses)[:_MOST_PACKAGES]
    if not found:
        raise Invalid(
            f"Could not find package, did you set the VCS repo in CDB correctly? Expected {hook.addresses[0]}"
        )
    authenticated = False
    for package_id, _ in found:
        try:
            parts = load_parts(package_id)
        except NotFound:  # deleted meanwhile
            continue
        caller = authenticate(parts)
        if caller is None:
            continue
        authenticated = True
        if hook.push and _wants(parts, hook.push):
            publishing.require_may_approve(caller, parts.package)
            return Outcome("", publishing.create(caller, parts, _release(hook.push)))
    if not authenticated:
        raise refusal
    return _without_release(hook)


def wrong_signature() -> CoreError:
    """The refusal of a signature that no token of the repository has made."""
    return Unauthenticated(_WRONG)


def wrong_token() -> CoreError:
    """The refusal of a token that is not valid for the repository."""
    return Forbidden(_WRONG)


def _without_release(hook: Hook) -> Outcome:
    if hook.event == "ping":
        return Outcome("Ping successful", done=True)
    if hook.event not in ("push", "create", "tag_push"):
        raise Invalid(f"Unsupported event: '{hook.event}'. Only 'push', 'create:tag', and 'ping' are supported.")
    return Outcome("No release made. Either the release already exists or the event was filtered based on the branch")


def _wants(parts: Parts, push: Push) -> bool:
    """Whether a package has no release of this push yet, and wants releases of its branch."""
    if push.branch is not None:
        check = parts.update_check
        if push.branch not in ((check.ref,) if check and check.ref else _BRANCHES):
            return False
    others = [release for release in parts.releases.values() if release.state != "FAILED"]
    if push.commit and any(release.commit_hash == push.commit.lower() for release in others):
        return False
    return not any(push.tag and release.name == push.tag[:LONGEST_NAME] for release in others)


def _release(push: Push) -> NewRelease:
    title = push.tag or f"{datetime.now(UTC):%Y-%m-%d} {(push.commit or '')[:5]}"
    commit = push.commit.lower() if push.commit else None
    return NewRelease(
        name=title[:LONGEST_NAME],
        title=title[:100],
        release_notes=None,
        named=True,
        commit=commit,
        ref=push.tag or commit,
        automatic=True,
    )


def _caller(secret: str, address: str) -> Caller | None:
    """The caller with a token; None if it is unknown, expired or revoked, or if its account is suspended."""
    try:
        found = credentials.identify(secret, hook_tokens.SERVICE)
    except (Unauthenticated, Revoked, Suspended):
        return None
    return Caller(found.account, found.credential, address)
