"""Mails with one-time links."""

import secrets
from typing import Any

from chalicelib.core.mail import transport
from chalicelib.core.mail.message import Mail
from chalicelib.core.mail.rendering import render, url_of


def mail_link(to: str, subject: str, template: str, path: str, **values: Any) -> None:
    """Send the mail with a link to a path of this server. Raises Undeliverable, or any error that can be temporary."""
    text, html = render(template, link=url_of(path), **values)
    transport.send(Mail(to, subject, text, html, secrets.token_hex(16)))
