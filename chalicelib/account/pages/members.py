"""The pages for administrators: accounts and invitations."""

from chalicelib.account import auth, invites, members, shapes, wire
from chalicelib.account.pages import base, forms
from chalicelib.account.pages.forms import Filled
from chalicelib.core.caller import Caller
from chalicelib.core.identity import accounts, invitations, proof
from chalicelib.core.mail import transport
from chalicelib.web.request import Request
from chalicelib.web.response import Response

_PERSON = "/people/{username}"


@base.page("/people", auth.MANAGER)
def show_people(request: Request, caller: Caller, filled: Filled) -> Response:
    """List all accounts, oldest first."""
    found, following = members.page(_after(request), None)
    people = [wire.member(caller, account) for account in found]
    return base.render(request, caller, "people", filled, people=people, following=following)


@base.form("/people", "find")
def find_person(request: Request, caller: Caller) -> Response:
    """Redirect to the page of the account with this username."""
    found = accounts.named(forms.read(request, shapes.USERNAME)["username"])
    return base.go_to(f"/people/{found.username}")


@base.page(_PERSON, auth.MANAGER, second_factor=auth.RECENT_CODE_IN_FORM)
def show_person(request: Request, caller: Caller, filled: Filled) -> Response:
    """An account, with the forms that change it."""
    account = accounts.named(request.params["username"])
    person = wire.person(caller, account, members.works_of(account.username))
    return base.render(
        request,
        caller,
        "person",
        filled,
        person=person,
        named_ranks=_named_ranks(),
        needs_code=proof.needs_code(caller),
    )


@base.form(_PERSON, "luadns")
@base.form(_PERSON, "suspend")
@base.form(_PERSON, "change")
def change_person(request: Request, caller: Caller) -> Response:
    """Change an account's rank, suspend or restore it, enable or disable LuaDNS' API for it."""
    _prove(request, caller)
    members.change(caller, request.params["username"], **forms.read(request, shapes.MEMBER_CHANGES))
    return _back(request, "changed")


@base.form(_PERSON, "end-sessions")
def end_their_sessions(request: Request, caller: Caller) -> Response:
    """End all sessions of the account."""
    _prove(request, caller)
    members.end_sessions(caller, request.params["username"])
    return _back(request, "logged-them-out")


@base.form(_PERSON, "reset-two-factor")
def reset_their_two_factor(request: Request, caller: Caller) -> Response:
    """Turn off the account's second factor, for a user who has lost it."""
    _prove(request, caller)
    members.reset_two_factor(caller, request.params["username"])
    return _back(request, "two-factor-reset")


@base.form(_PERSON, "reset-password")
def reset_their_password(request: Request, caller: Caller) -> Response:
    """Set the account's password, for a user who has lost it."""
    _prove(request, caller)
    members.set_password(caller, request.params["username"], **forms.read(request, shapes.RESET_PASSWORD))
    return _back(request, "password-reset")


@base.page("/invitations", auth.ADMINISTRATOR)
def show_invitations(request: Request, caller: Caller, filled: Filled) -> Response:
    """List all invitations, oldest first."""
    found, following = invites.page(_after(request), None)
    rows = [wire.invitation(invitation) for invitation in found]
    return base.render(
        request,
        caller,
        "invitations",
        filled,
        invitations=rows,
        following=following,
        named_ranks=_named_ranks(),
        sends_mail=transport.is_on(),
    )


@base.form("/invitations", "create")
def invite(request: Request, caller: Caller) -> Response:
    """Create an invitation, and show it once or send it by mail."""
    created, secret = invites.create(caller, **forms.read(request, shapes.NEW_INVITATION))
    if secret is None:
        return base.go_to("/invitations", "invited")
    return base.render(request, caller, "invitation_created", invitation=wire.invitation(created), secret=secret)


@base.form("/invitations", "revoke")
def revoke_invitation(request: Request, caller: Caller) -> Response:
    """Revoke an unused invitation."""
    invitations.revoke(forms.read_id(request), caller)
    return base.go_to("/invitations", "invitation-revoked")


def _after(request: Request) -> int | None:
    """The id after which this page of a list begins."""
    text = request.argument("after") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _named_ranks() -> list[tuple[str, str]]:
    """All ranks with their titles."""
    return [(rank, rank.replace("_", " ").capitalize()) for rank in accounts.ranks()]


def _back(request: Request, done: str) -> Response:
    return base.go_to(f"/people/{request.params['username']}", done)


def _prove(request: Request, caller: Caller) -> None:
    proof.require_recent(caller, request.form.get("code"))
