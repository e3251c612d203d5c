"""Who makes a request, and what their credential allows."""

from dataclasses import dataclass

from chalicelib.core.errors import Forbidden
from chalicelib.core.tables import Account, Credential


@dataclass(frozen=True)
class Device:
    """Where somebody logs in from: a network address, empty when it is not known, and what the client calls itself."""

    address: str
    user_agent: str


@dataclass(frozen=True)
class Caller:
    """An account, and the credential that it came with."""

    account: Account
    credential: Credential

    def require(self, needed: str) -> None:
        """Raises Forbidden unless the credential's scope allows `needed`, see `allows`; the banned only read."""
        if needed != "read" and self.account.rank == "BANNED":
            raise Forbidden("Your account has been banned")
        if not allows(self.credential.scope, needed):
            raise Forbidden(f"This key may not do that: its scope is {self.credential.scope}.")

    def only(self, kind: str) -> str | None:
        """The one NAME that the credential is for, where its scope is `kind:NAME`; None where there is no such bound.

        A service whose things are nobody else's business must not show such a credential the others.
        """
        given, _, name = (self.credential.scope or "").partition(":")
        return name if given == kind else None


def allows(scope: str | None, needed: str) -> bool:
    """Whether a credential's scope covers `needed`.

    `needed` is `read`, `write` (anything at all), `module:` (some module, which one is checked later) or
    `module:NAME`, in any letter case. A credential without a scope may do everything; one for a module may also read.
    """
    if scope is None or needed == "read" or scope.lower() == needed.lower():
        return True
    return needed.endswith(":") and scope.startswith(needed)
