"""Invitations: each lets one person open an account, once and before it expires. Only the secret's hash is stored."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from pynamodb.expressions.condition import Condition

from chalicelib.core import audit, ids
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Forbidden, Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.identity.credentials import check_comment, hash_of
from chalicelib.core.identity.secret_format import new_secret
from chalicelib.core.mail import transport
from chalicelib.core.mail.requests import request_invitation
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, Invitation, now

LIFETIME = timedelta(days=7)
MAX_LIFETIME = timedelta(days=365)
_RETENTION = timedelta(days=30)
_MESSAGES = {
    "none": "There is no such invitation.",
    "used": "This invitation has been used already.",
    "revoked": "This invitation has been revoked.",
    "expired": "This invitation has expired.",
}


class NoInvitation(Forbidden):
    """The invitation does not exist, or can no longer be used."""


def create(
    *,
    rank: str = "MEMBER",
    email: str | None = None,
    ends_after: timedelta = LIFETIME,
    comment: str = "",
    mail: bool = False,
    by: Caller | None = None,
) -> tuple[Invitation, str | None]:
    """Create an invitation; return it and its secret, which is not stored. Raises Invalid, or Conflict without mail.

    The new account gets the rank. If `email` is given, only this address can use the invitation. With `mail`, a job
    sends the invitation to `email` with another secret, so there is none to return.
    """
    accounts.check_rank(rank)
    if email is not None:
        accounts.check_email(email)
    if not timedelta(0) < ends_after <= MAX_LIFETIME:
        raise Invalid(f"An invitation is good for {MAX_LIFETIME.days} days at most.", field="expires")
    check_comment(comment)
    if mail:
        _check_mail(email)
    secret, number = new_secret(), ids.reserve("invitation")
    invitation = Invitation(
        _address(secret),
        "invitation",
        listing="invitations",
        id=number,
        rank=rank,
        email=email,
        mailed=mail,
        comment=comment,
        created_at=now(),
        ends_at=now() + ends_after,
        expires_at=ends_after + _RETENTION,
    )
    claim = Claim(f"invitation#{number}", "claim", holder=invitation.pk, expires_at=invitation.expires_at)
    writes = Transaction()
    writes.create(invitation)
    writes.create(claim)
    _audit(writes, "invitation.create", invitation, by)
    if mail:
        request_invitation(writes, number)
    writes.commit()
    return invitation, None if mail else secret


def state_of(invitation: Invitation) -> str:
    """Return `open`, `used`, `revoked` or `expired`."""
    if invitation.used_at:
        return "used"
    if invitation.revoked_at:
        return "revoked"
    return "expired" if invitation.ends_at <= now() else "open"


def find(secret: str) -> Invitation:
    """Return the open invitation with this secret. Raises NoInvitation."""
    invitation = Invitation.find(_address(secret), "invitation")
    state = state_of(invitation) if invitation else "none"
    if invitation is None or state != "open":
        raise NoInvitation(_MESSAGES[state], field="invitation")
    return invitation


def use(invitation: Invitation) -> Callable[[Account, Transaction], None]:
    """Return a function that marks the invitation as used, in the transaction that creates the account."""

    def mark_used(account: Account, writes: Transaction) -> None:
        used = NoInvitation(_MESSAGES["used"], field="invitation")
        actions = [Invitation.used_at.set(now()), Invitation.username.set(account.username)]
        writes.update(invitation, actions, _unused(), used)

    return mark_used


def list_invitations(after: int = 0, limit: int | None = None) -> Iterator[Invitation]:
    """Return invitations, oldest first: all, or at most `limit` with an id above `after`."""
    return iter(Invitation.by_listing.query("invitations", Invitation.id > after if after else None, limit=limit))


def renew(number: int) -> tuple[Invitation, str] | None:
    """Replace the secret of an open invitation; return both, or None if it is not open any more."""
    claim = Claim.find(f"invitation#{number}", "claim")
    former = Invitation.find(claim.holder, "invitation") if claim else None
    if claim is None or former is None or state_of(former) != "open":
        return None
    secret, own = new_secret(), ("pk", "sk", "kind")
    values = {name: getattr(former, name) for name in Invitation.get_attributes() if name not in own}
    invitation = Invitation(_address(secret), "invitation", **values)
    writes = Transaction()
    writes.delete(former, Invitation.pk.exists() & _unused())
    writes.create(invitation)
    writes.update(claim, claim.assign(holder=invitation.pk), Claim.holder == former.pk)
    writes.commit()
    return invitation, secret


def revoke(number: int, by: Caller | None = None) -> None:
    """Revoke an invitation. Raises NotFound, or Conflict if it was used or revoked before."""
    claim = Claim.find(f"invitation#{number}", "claim")
    if claim is None:
        raise NotFound(f"There is no invitation {number}.")
    invitation = Invitation(claim.holder, "invitation", id=number)
    writes = Transaction()
    conflict = Conflict("This invitation has been used or revoked already.")
    writes.update(invitation, [Invitation.revoked_at.set(now())], Invitation.pk.exists() & _unused(), conflict)
    _audit(writes, "invitation.revoke", invitation, by)
    writes.commit()


def _check_mail(email: str | None) -> None:
    if email is None:
        raise Invalid("An invitation by mail needs an address.", field="email")
    if not transport.is_on():
        raise Conflict("This server sends no mail.", field="mail")


def _unused() -> Condition:
    condition: Condition = Invitation.used_at.does_not_exist() & Invitation.revoked_at.does_not_exist()
    return condition


def _audit(writes: Transaction, action: str, invitation: Invitation, by: Caller | None) -> None:
    """Add an entry to the caller's audit log; the command line has none."""
    if by:
        writes.put(audit.entry_by(by, action, f"invitation#{int(invitation.id)}"))


def _address(secret: str) -> str:
    return f"invitation#{hash_of(secret)}"
