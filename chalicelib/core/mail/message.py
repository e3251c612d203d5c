"""Messages: plain text and HTML, with headers that no value can break out of."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from email._header_value_parser import TokenList
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from typing import Any

from chalicelib import settings

_NAME = "Moonbase"


class Undeliverable(Exception):
    """The address cannot receive this mail, now or later."""


class PlainHeader(UnstructuredHeader, BaseHeader):
    """A header with a text of any letters, also ones that look like an encoded word (RFC 2047).

    The standard library decodes such words, line breaks included, and encodes URLs that are longer than a line.
    """

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the text as it is."""
        kwds["decoded"], kwds["parse_tree"] = value, TokenList()

    def fold(self, *, policy: Any) -> str:
        """The line of the header, or several lines of encoded words."""
        text = str(self)
        if not text.isascii() or "=?" in text:
            text = Header(text, "utf-8", header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {text}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("Subject", "List-Unsubscribe", "List-Unsubscribe-Post"):
    _HEADERS.map_to_type(_name, PlainHeader)
_SEVEN_BITS = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)
_INTERNATIONAL = _SEVEN_BITS.clone(cte_type="8bit", utf8=True)  # for addresses that need SMTPUTF8 (RFC 6531)


@dataclass(frozen=True)
class Mail:
    """A mail to one address. `id` is the left side of its Message-ID."""

    to: str
    subject: str
    text: str
    html: str
    id: str
    headers: Mapping[str, str] = field(default_factory=dict)


def one_line(text: str) -> str:
    """The text in one line, without control and formatting characters, which could disguise what it says."""
    visible = (" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
    return " ".join("".join(letter for letter in visible if unicodedata.category(letter) not in ("Cf", "Cs")).split())


def sender() -> tuple[str, str]:
    """The name and the address of the sender in the settings."""
    name, address = parseaddr(settings.current().mail_from)
    return name or _NAME, address


def envelope(address: str) -> str:
    """The address with its host in ASCII. Raises Undeliverable if it is none."""
    user, _, host = address.rpartition("@")
    if not user or re.search(r"[\s\x00-\x1f\x7f<>]", address):
        raise Undeliverable("the address is malformed")
    if host.isascii():
        return address
    import idna

    try:
        return f"{user}@{idna.encode(host, uts46=True).decode()}"
    except idna.IDNAError:
        raise Undeliverable("the host of the address is malformed") from None


def compose(mail: Mail) -> EmailMessage:
    """The message of a mail. Raises Undeliverable for a malformed address."""
    user, _, host = envelope(mail.to).rpartition("@")
    name, address = sender()
    from_user, _, from_host = address.rpartition("@")
    message = EmailMessage(_SEVEN_BITS if user.isascii() else _INTERNATIONAL)
    message["From"] = Address(name, from_user, from_host)
    message["To"] = Address("", user, host)
    message["Subject"] = one_line(mail.subject)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{mail.id}@{from_host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office programs do not reply
    for header, value in mail.headers.items():
        message[header] = one_line(value)
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message
