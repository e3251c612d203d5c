"""Invitations: each lets one person open an account, once and within its time. Only a hash of the secret is kept."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from pynamodb.expressions.condition import Condition

from chalicelib.core import accounts, audit, ids
from chalicelib.core.caller import Caller
from chalicelib.core.credentials import check_comment, hash_of, new_secret
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Invitation, now

LIFETIME = timedelta(days=7)
LONGEST_LIFETIME = timedelta(days=365)
_KEPT_FOR = timedelta(days=30)
_REFUSALS = {
    "none": "There is no such invitation.",
    "used": "This invitation has been used already.",
    "revoked": "This invitation has been revoked.",
    "expired": "This invitation has expired.",
}


class NoInvitation(Forbidden):
    """It cannot be used, or not any more."""


def create(
    *,
    rank: str = "MEMBER",
    email: str | None = None,
    ends_after: timedelta = LIFETIME,
    comment: str = "",
    by: Caller | None = None,
) -> tuple[Invitation, str]:
    """Make an invitation; returns it and its secret, which nobody can see again. Raises Invalid.

    Whoever comes of it has this rank; `email` is the only address that it is for.
    """
    accounts.check_rank(rank)
    if email is not None:
        accounts.check_email(email)
    if not timedelta(0) < ends_after <= LONGEST_LIFETIME:
        raise Invalid(f"An invitation is good for {LONGEST_LIFETIME.days} days at most.", field="expires")
    check_comment(comment)
    secret, number = new_secret(), ids.reserve("invitation")
    invitation = Invitation(
        _address(secret),
        "invitation",
        listing="invitations",
        id=number,
        rank=rank,
        email=email,
        comment=comment,
        created_at=now(),
        ends_at=now() + ends_after,
        expires_at=ends_after + _KEPT_FOR,
    )
    claim = Claim(f"invitation#{number}", "claim", holder=invitation.pk, expires_at=invitation.expires_at)
    writes = Transaction()
    writes.create(invitation)
    writes.create(claim)
    _note(writes, "invitation.create", invitation, by)
    writes.commit()
    return invitation, secret


def state_of(invitation: Invitation) -> str:
    """`open`, `used`, `revoked` or `expired`."""
    if invitation.used_at:
        return "used"
    if invitation.revoked_at:
        return "revoked"
    return "expired" if invitation.ends_at <= now() else "open"


def find(secret: str) -> Invitation:
    """The invitation that `secret` is, while it may be used. Raises NoInvitation."""
    invitation = Invitation.find(_address(secret), "invitation")
    state = state_of(invitation) if invitation else "none"
    if invitation is None or state != "open":
        raise NoInvitation(_REFUSALS[state], field="invitation")
    return invitation


def use(invitation: Invitation) -> Callable[[Account, Transaction], None]:
    """What uses the invitation up in the transaction that opens an account."""

    def along(account: Account, writes: Transaction) -> None:
        gone = NoInvitation(_REFUSALS["used"], field="invitation")
        actions = [Invitation.used_at.set(now()), Invitation.username.set(account.username)]
        writes.update(invitation, actions, _unused(), gone)

    return along


def listed(after: int = 0, most: int | None = None) -> Iterator[Invitation]:
    """Invitations, oldest first: all, or at most so many `after` an id."""
    return iter(Invitation.by_listing.query("invitations", Invitation.id > after if after else None, limit=most))


def revoke(number: int, by: Caller | None = None) -> None:
    """End an invitation. Raises NotFound, or Conflict when it was used or revoked before."""
    claim = Claim.find(f"invitation#{number}", "claim")
    if claim is None:
        raise NotFound(f"There is no invitation {number}.")
    invitation = Invitation(claim.holder, "invitation", id=number)
    writes = Transaction()
    over = Conflict("This invitation has been used or revoked already.")
    writes.update(invitation, [Invitation.revoked_at.set(now())], Invitation.pk.exists() & _unused(), over)
    _note(writes, "invitation.revoke", invitation, by)
    writes.commit()


def _unused() -> Condition:
    condition: Condition = Invitation.used_at.does_not_exist() & Invitation.revoked_at.does_not_exist()
    return condition


def _note(writes: Transaction, deed: str, invitation: Invitation, by: Caller | None) -> None:
    """Put what was done into the doer's activity; the command line has none."""
    if by:
        writes.put(audit.entry_by(by, deed, f"invitation#{int(invitation.id)}"))


def _address(secret: str) -> str:
    return f"invitation#{hash_of(secret)}"
