"""A mail server on this machine that keeps the mails it receives, or refuses their recipients."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from chalicelib import settings

SENDER = "moonbase@example.org"
URL = "https://moonbase.test"


@dataclass
class Received:
    """A mail as it arrived: the addresses of its envelope, and its bytes."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The parsed mail."""
        parsed = message_from_bytes(self.content, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The plain text."""
        part = self.message.get_body(("plain",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")

    @property
    def html(self) -> str:
        """The HTML."""
        part = self.message.get_body(("html",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")

    def link(self, path: str) -> str:
        """The rest of the only link that starts with a path of this server."""
        (found,) = set(re.findall(re.escape(URL + path) + r"([^\s\"<>]+)", self.text))
        return str(found)


@dataclass
class Sink:
    """The mails that the server at `url` has received. `refusal` is its reply to every recipient, if it has one."""

    url: str = ""
    mails: list[Received] = field(default_factory=list)
    refusal: str | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content: Any = envelope.content
        self.mails.append(Received(str(envelope.mail_from), [*envelope.rcpt_tos], bytes(content)))
        return "250 OK"


class _FreePort(Controller):
    """A controller that connects to the port that its server has got."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def listening(hostname: str = "127.0.0.1", **options: Any) -> Iterator[Sink]:
    """Run the server for the block; `options` are the controller's."""
    sink = Sink()
    controller = _FreePort(sink, hostname=hostname, port=0, **options)
    controller.start()
    sink.url = f"smtp://{hostname}:{controller.port}"
    try:
        yield sink
    finally:
        controller.stop()


@contextmanager
def receiving(**options: Any) -> Iterator[Sink]:
    """Run the server for the block, with the settings that let Moonbase use it."""
    sender = f"Moonbase <{SENDER}>"
    with (
        listening(**options) as sink,
        settings.override(smtp_url=sink.url, mail_from=sender, mail_base_url=URL),
    ):
        yield sink
