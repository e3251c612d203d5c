"""Settings from the environment, read once into a frozen object.

Every field is an environment variable `MOONBASE_<FIELD>` in capitals; the field's comment documents it.
"""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

MIB = 1024 * 1024
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+"
_SENDER = re.compile(rf"{_ADDRESS}|[^<>@]+<{_ADDRESS}>")
CHOICES = {
    "registration": ("open", "invitation", "closed"),
    "luarocks_reads": ("public", "key"),
    "luadns_engine": ("", "authoritative", "route53", "none"),
}

_PREFIX = "MOONBASE_"
# Variables of the command line, and of the tests, without the prefix.
_OTHER_VARIABLES = ("DATA", "STACK", "EXAMPLES", "CRASHES", "SHOTS")


@dataclass(frozen=True)
class Settings:
    """The settings of an installation. Sizes are in bytes, durations in seconds; lists are comma-separated."""

    tables: str = "moonbase"  # prefix of the table names: <tables>-core, <tables>-luarocks ...
    services: tuple[str, ...] = ()  # the services that this server offers: luarocks,contentdb,luadns,hel; empty: all
    read_only: bool = False  # whether the server refuses changes; `moonbase read-only` needs no restart
    read_only_check: int = 3  # seconds until each process notices `moonbase read-only`
    region: str = "us-east-1"  # AWS region; also read from AWS_REGION
    blobs: str = "file:data/blobs"  # where blobs are stored: s3://BUCKET or file:DIRECTORY
    key_file: str = "data/key"  # the key that seals second-factor secrets if kms_key is empty
    kms_key: str = ""  # id of the KMS key that seals second-factor secrets; empty: use key_file
    queue: str = ""  # URL of the SQS queue that starts job runners; empty: they only poll
    base_url: str = ""  # https://host[/prefix] as clients see it; empty: from the request's Host header
    smtp_url: str = ""  # smtp[s]://[USER:PASSWORD@]HOST[:PORT] of a mail server, or ses: on AWS; empty: no mail
    mail_from: str = ""  # the sender of mails: NAME@HOST or "Some name <NAME@HOST>"; empty: no mail
    mail_base_url: str = ""  # https://host[/prefix] in the links of mails; empty: base_url
    max_body: int = 100 * MIB  # maximum size of a request body; on Lambda 4.4 MB
    body_memory: int = 128 * MIB  # of all large request bodies in a worker on one machine; others get 503
    max_answer: int = 4 * MIB  # maximum size of a file in a response; larger ones are redirected; on Lambda 4.4 MB
    registration: str = "invitation"  # who can register: open (anyone), invitation (with an invitation), closed
    registration_rate: int = 20  # registrations per hour from one address, if registration is open
    immutable: tuple[str, ...] = ()  # services whose published files are never replaced, such as luarocks; empty: none
    name_quarantine_days: int = 90  # days for which the name of a deleted package is reserved for its former owners
    outbound_networks: tuple[str, ...] = ()  # private networks to which users' URLs may lead, such as 10.0.0.0/8
    contact: str = ""  # of the operator, for the User-Agent of requests to other servers: an address or a URL
    lua_evaluator: str = ""  # the AWS Lambda function that runs untrusted Lua; empty: child processes
    luarocks_reads: str = "public"  # who can download rocks: public (anyone), or key (callers with a key)
    luarocks_tool_version: str = "1.0.0"  # the response of /api/tool_version; clients compare it with "1.0.0"
    luarocks_max_upload: int = 15 * MIB  # of a rockspec or rock; the limit of luarocks.org
    contentdb_max_upload: int = 100 * MIB  # of a release's zip
    contentdb_strict_names: bool = False  # whether a release must have a name such as 1.2.3 or 2025-02-01
    contentdb_screenshot_width: int = 0  # minimum of a screenshot, in pixels; upstream requires 920
    contentdb_screenshot_height: int = 0  # minimum of a screenshot, in pixels; upstream requires 517
    contentdb_promotion_days: int = 7  # after an approved package or review, until a new member is a member; 0: never
    contentdb_blocked_domains: tuple[str, ...] = ()  # domains that packages must not link to
    hel_short_description: int = 140  # a package's short description is cut to so many characters; 300 in Hel 3.4
    hel_page: int = 20  # packages per page of a list
    hel_page_bytes: int = 32 * 1024  # of packages in a page without "limit": a computer in the game has 192 KB and more
    hel_longest_page: int = 100  # maximum of the "limit" parameter
    hel_packages: int = 200  # packages per account
    hel_package_bytes: int = 8 * MIB  # of all packages of an account, as JSON without their files
    hel_file_bytes: int = 64 * MIB  # of all stored files of an account, in blocks of 4 KiB
    hel_largest_file: int = 2 * MIB  # of one stored file; on Lambda also below max_body and max_answer
    hel_origins: tuple[str, ...] = ()  # web origins that can use Hel's API with the user's cookie
    luadns_engine: str = ""  # authoritative, route53 or none; empty: authoritative with `serve --dns-port`, else none
    luadns_self_service: bool = False  # whether users can enable LuaDNS' API for themselves; otherwise administrators
    luadns_name_servers: tuple[str, ...] = ("ns1.localhost.", "ns2.localhost.")  # NS records of new zones
    luadns_hostmaster: str = "hostmaster.localhost."  # the mailbox in the SOA of new zones, with a dot instead of @
    luadns_rate: int = 1200  # requests per key in five minutes; 0: no limit
    luadns_ttl: int = 300  # of records without a TTL
    luadns_max_zones: int = 500  # per account
    luadns_max_records: int = 10_000  # per zone
    luadns_history_days: int = 90  # that the changes of a zone are stored, for its history and incremental transfers
    luadns_delegation_set: str = ""  # id of the reusable delegation set of Route 53 behind luadns_name_servers
    luadns_forwarders: tuple[str, ...] = ()  # resolvers for ALIAS: ADDRESS or ADDRESS:PORT; empty: the system's
    luadns_transfer_to: tuple[str, ...] = ()  # addresses or networks that can transfer zones (AXFR)
    luadns_response_rate: int = 10  # equal answers per second to one network by UDP; 0: no limit
    luadns_redirect_to: tuple[str, ...] = ()  # addresses of the web servers for REDIRECT records
    luadns_forward_to: tuple[str, ...] = ()  # mail servers for FORWARD records, with a trailing dot
    luadns_max_content: int = 64_000  # bytes of one record's content; a DNS response holds 65,535 in all

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"MOONBASE_{name.upper()} must be one of: {', '.join(map(repr, choices))}")
        for network in self.outbound_networks:
            _check_network(network)
        if not (self.contact.isascii() and (self.contact.isprintable() or not self.contact)):
            raise ValueError("MOONBASE_CONTACT must be printable ASCII")
        if self.smtp_url and not self.smtp_url.startswith(("smtp://", "smtps://")) and self.smtp_url != "ses:":
            raise ValueError("MOONBASE_SMTP_URL must be smtp://HOST[:PORT], smtps://HOST[:PORT] or ses:")
        if self.mail_from and not (self.mail_from.isprintable() and _SENDER.fullmatch(self.mail_from)):
            raise ValueError("MOONBASE_MAIL_FROM must be NAME@HOST or Some name <NAME@HOST>")
        if self.mail_base_url and not self.mail_base_url.startswith(("http://", "https://")):
            raise ValueError("MOONBASE_MAIL_BASE_URL must start with http:// or https://")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from `environ`. Raises ValueError with the name of an invalid variable."""
        given: dict[str, Any] = {}
        if region := environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"):
            given["region"] = region
        for field in fields(cls):
            variable = f"{_PREFIX}{field.name.upper()}"
            if variable in environ:
                given[field.name] = _read(variable, environ[variable], type(field.default))
        return cls(**given)


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"MOONBASE_OUTBOUND_NETWORKS must list networks such as 10.0.0.0/8: {error}") from None


def unknown_variables(environ: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that look like settings and are none, each with the most similar name of one."""
    known = [*(field.name.upper() for field in fields(Settings)), *_OTHER_VARIABLES]
    given = (name.removeprefix(_PREFIX) for name in sorted(environ) if name.startswith(_PREFIX))
    similar = {name: get_close_matches(name, known, n=1) for name in given if name not in known}
    return {_PREFIX + name: _PREFIX + found[0] if found else None for name, found in similar.items()}


def _read(variable: str, text: str, kind: type) -> Any:
    if kind is int:
        if not text.isdecimal():
            raise ValueError(f"{variable} must be a whole number, not {text!r}")
        return int(text)
    if kind is bool:
        if text.lower() not in ("yes", "no"):
            raise ValueError(f"{variable} must be yes or no, not {text!r}")
        return text.lower() == "yes"
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


_current = Settings.from_environment(os.environ)


def current() -> Settings:
    """Return the settings of this process."""
    return _current


def install(settings: Settings) -> None:
    """Replace the settings of this process. Table names do not change after the import of the models."""
    global _current
    _current = settings


@contextmanager
def override(**changes: Any) -> Iterator[Settings]:
    """Change settings for the block."""
    before = _current
    install(replace(before, **changes))
    try:
        yield _current
    finally:
        install(before)
