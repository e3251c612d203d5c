"""The caller of a request, and the permissions of its credential."""

from dataclasses import dataclass

from chalicelib.core.errors import Forbidden
from chalicelib.core.tables import Account, Credential


@dataclass(frozen=True)
class Device:
    """The origin of a log-in: a network address, empty if unknown, and the client's User-Agent."""

    address: str
    user_agent: str


@dataclass(frozen=True)
class Actor:
    """A caller as the audit log and the published events name them; a job that acts for a caller keeps it as JSON.

    `service` and `key` are those of the credential: what it is for, such as `luarocks` or `session`, and its comment.
    `address` is the network address. Each is empty if there is none.
    """

    account_id: int
    username: str
    credential_id: int | None = None
    service: str = ""
    key: str = ""
    address: str = ""


@dataclass(frozen=True)
class Caller:
    """An account, the credential of the request, and the client's network address, empty if unknown."""

    account: Account
    credential: Credential
    address: str = ""

    @property
    def actor(self) -> Actor:
        """The caller without the items of the database."""
        credential = self.credential
        return Actor(
            account_id=int(self.account.id),
            username=self.account.username,
            credential_id=int(credential.id) if credential.id else None,
            service=credential.service or "",
            key=credential.comment or "",
            address=self.address,
        )

    def require(self, needed: str) -> None:
        """Raise Forbidden unless the credential's scope `allows` what is `needed`. Banned accounts can only read."""
        if needed != "read" and self.account.rank == "BANNED":
            raise Forbidden("Your account has been banned")
        if not allows(self.credential.scope, needed):
            raise Forbidden(f"This key may not do that: its scope is {self.credential.scope}.")

    def only(self, kind: str) -> str | None:
        """Return NAME if the credential's scope is `kind:NAME`, otherwise None.

        A service with private resources must not show other ones to such a credential.
        """
        given, _, name = (self.credential.scope or "").partition(":")
        return name if given == kind else None


def allows(scope: str | None, needed: str) -> bool:
    """Whether a credential's scope covers `needed`.

    `needed` is `read`, `write` (any change), `module:` (a module that is checked later) or `module:NAME`, in any letter
    case. A credential without a scope allows everything; one for a module also allows reads.
    """
    if scope is None or needed == "read" or scope.lower() == needed.lower():
        return True
    return needed.endswith(":") and scope.startswith(needed)
