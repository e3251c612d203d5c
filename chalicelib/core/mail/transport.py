"""The transport of mails: a mail server by SMTP, or SES on AWS. Only jobs send mail, because both can take seconds."""

import logging
from email.message import EmailMessage

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.mail.message import Mail, Undeliverable, compose, envelope, sender

SES = "ses:"
_log = logging.getLogger(__name__)
_MALFORMED = "InvalidParameterValue"  # SES for an address that it does not accept


def is_on() -> bool:
    """Whether this server sends mail."""
    current = settings.current()
    return bool(current.smtp_url and current.mail_from)


def send(mail: Mail) -> None:
    """Send a mail, or drop it if mail was turned off after it was enqueued.

    Raises Undeliverable if the address is refused; any other error can be temporary.
    """
    if not is_on():
        _log.warning("a mail was dropped, because this server sends no mail")
        return
    message, to = compose(mail), envelope(mail.to)
    if settings.current().smtp_url == SES:
        _by_ses(message, to)
    else:
        _by_smtp(message, to)


def _by_ses(message: EmailMessage, to: str) -> None:
    given = {"Source": sender()[1], "Destinations": [to], "RawMessage": {"Data": message.as_bytes()}}
    try:
        aws.client("ses").send_raw_email(**given)
    except ClientError as error:
        if error.response["Error"]["Code"] == _MALFORMED:
            raise Undeliverable("SES refuses the address") from None
        raise


def _by_smtp(message: EmailMessage, to: str) -> None:
    from chalicelib.core.outbound import smtp

    try:
        smtp.send(settings.current().smtp_url, message, sender()[1], to)
    except smtp.RecipientRefused as error:
        raise Undeliverable(str(error)) from None
