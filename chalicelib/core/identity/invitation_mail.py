"""Invitations by mail."""

import logging
from typing import Any

from chalicelib.core.identity import invitations
from chalicelib.core.mail.links import mail_link
from chalicelib.core.mail.message import Undeliverable
from chalicelib.core.mail.rendering import host

_log = logging.getLogger(__name__)


def mail_invitation(payload: dict[str, Any]) -> None:
    """Send an invitation with a new secret, if it is open. This is a job: each attempt replaces the secret."""
    renewed = invitations.renew(payload["invitation"])
    if renewed is None:
        return
    invitation, secret = renewed
    path, ends = f"/account/register?invitation={secret}", f"{invitation.ends_at:%Y-%m-%d}"
    try:
        mail_link(invitation.email, f"Your invitation to {host()}", "invitation", path, ends=ends)
    except Undeliverable:
        _log.warning("the address of invitation %d was refused", invitation.id)
