"""Requests for mails with one-time links. A job creates each link, so that its secret is stored nowhere."""

from typing import Any

from chalicelib.core import jobs
from chalicelib.core.mail import transport
from chalicelib.core.storage import Transaction

CONFIRMATION, PASSWORD_LINK, INVITATION = "mail-confirmation", "mail-password-link", "mail-invitation"


def request_confirmation(writes: Transaction, account_id: int) -> None:
    """Let a job send the link that confirms an account's address, if this server sends mail."""
    _enqueue(writes, CONFIRMATION, {"account": account_id}, once=str(account_id))


def request_password_link(writes: Transaction, name: str, address: str) -> None:
    """Let a job send a link for a new password to the account with a username or address, if there is one.

    `address` is the network address of the client.
    """
    _enqueue(writes, PASSWORD_LINK, {"name": name, "address": address})


def request_invitation(writes: Transaction, number: int) -> None:
    """Let a job send the invitation with this id to its address."""
    _enqueue(writes, INVITATION, {"invitation": number}, once=str(number))


def _enqueue(writes: Transaction, name: str, payload: dict[str, Any], once: str | None = None) -> None:
    if transport.is_on():
        jobs.enqueue(writes, name, payload, once)
