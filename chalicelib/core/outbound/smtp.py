"""Mails to the operator's mail server by SMTP."""

import socket
from email.message import EmailMessage
from smtplib import SMTP, SMTP_SSL, SMTPNotSupportedError, SMTPRecipientsRefused
from urllib.parse import unquote, urlsplit

from chalicelib.core.outbound.addresses import address_rules
from chalicelib.core.outbound.sockets import connect, tls_context, within

_SECONDS = 60  # for one mail
_ANSWER = 20  # seconds for each answer of the server
_LOCAL = ("localhost", "127.0.0.1", "::1")
_PERMANENT = 500  # replies from this code on are final


class RecipientRefused(Exception):
    """The mail server refuses this address for good."""


def send(url: str, message: EmailMessage, sender: str, recipient: str) -> None:
    """Send a message to one address by the server with this URL: `smtp://HOST`, or `smtps://USER:PASSWORD@HOST:PORT`.

    Raises RecipientRefused; OSError, of which SMTPException is a kind, for anything that can be temporary.
    """
    with within(_SECONDS), _connected(url, sender.rpartition("@")[2]) as server:
        try:
            server.send_message(message, sender, [recipient])
        except SMTPNotSupportedError:
            raise RecipientRefused("the mail server does not support international addresses") from None
        except SMTPRecipientsRefused as error:
            if all(code >= _PERMANENT for code, _ in error.recipients.values()):
                raise RecipientRefused("the mail server refuses the address") from None
            raise


class _PlainClient(SMTP):
    """SMTP over a connection of this room."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect(host, port, address_rules(trusted=((host.lower(), port),)), timeout)


class _TlsClient(SMTP_SSL):
    """SMTP over TLS from the beginning."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = connect(host, port, address_rules(trusted=((host.lower(), port),)), timeout)
        return tls_context().wrap_socket(plain, server_hostname=host)


def _connected(url: str, name: str) -> SMTP:
    """A connection to the mail server, logged in if the URL has a user; `name` is the host of the sender.

    Outside this machine it is encrypted if the server can, and always before a password is sent.
    """
    given = urlsplit(url)
    host, encrypted = given.hostname or "localhost", given.scheme == "smtps"
    client, port = (_TlsClient, 465) if encrypted else (_PlainClient, 25)
    server: SMTP = client(host, given.port or port, local_hostname=name, timeout=_ANSWER)
    try:
        server.ehlo()
        if not encrypted and host not in _LOCAL and (given.username or server.has_extn("starttls")):
            server.starttls(context=tls_context())
        if given.username:
            server.login(unquote(given.username), unquote(given.password or ""))
    except BaseException:
        server.close()
        raise
    return server
