"""Settings: the environment, read once into one frozen object.

Every field is an environment variable `MOONBASE_<FIELD>` in capitals; the field's comment says what it means.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

MIB = 1024 * 1024
CHOICES = {
    "registration": ("open", "invitation", "closed"),
    "luarocks_reads": ("public", "key"),
    "luadns_engine": ("", "authoritative", "route53", "none"),
}


@dataclass(frozen=True)
class Settings:
    """What an operator can choose. Sizes are bytes, durations seconds, lists comma-separated."""

    tables: str = "moonbase"  # prefix of the table names: <tables>-core, <tables>-luarocks ...
    region: str = "us-east-1"  # AWS region; also read from AWS_REGION
    blobs: str = "file:data/blobs"  # where bytes live: s3://BUCKET or file:DIRECTORY
    key_file: str = "data/key"  # seals second-factor secrets, where there is no KMS
    kms_key: str = ""  # id of the KMS key that seals second-factor secrets; empty: the key file does
    queue: str = ""  # URL of the SQS queue that wakes whoever does promised jobs; empty: the clock alone does
    base_url: str = ""  # https://host[/prefix] as clients write it; empty: taken from the request's Host
    max_body: int = 100 * MIB  # the largest request body; on Lambda 4.4 MB
    max_answer: int = 4 * MIB  # the largest file sent as a body; above it a link leads to it; on Lambda 4.4 MB
    registration: str = "invitation"  # who may open an account: open (everybody), invitation (whoever has one), closed
    registration_rate: int = 20  # accounts that one address may open in an hour, where everybody may
    luarocks_reads: str = "public"  # who may read rocks: public (everybody), or key (who has a key)
    luarocks_tool_version: str = "1.0.0"  # what /api/tool_version tells; stock clients compare with "1.0.0"
    luarocks_max_upload: int = 15 * MIB  # a rockspec or rock, as luarocks.org limits it
    contentdb_max_upload: int = 100 * MIB  # a release's zip
    contentdb_git_networks: tuple[str, ...] = ()  # networks that are not public and still have repositories: 10.0.0.0/8
    contentdb_strict_names: bool = False  # whether a release must have a name such as 1.2.3 or 2025-02-01
    contentdb_screenshot_width: int = 0  # the smallest screenshot, in pixels; upstream asks for 920
    contentdb_screenshot_height: int = 0  # upstream asks for 517
    contentdb_blocked_domains: tuple[str, ...] = ()  # sites that packages may not link to
    hel_short_description: int = 140  # characters kept of a package's short description; 300 in Hel 3.4
    hel_page: int = 20  # packages in one page of a list
    hel_longest_page: int = 100  # packages in one page, when a client asks for more by "limit"
    hel_packages: int = 200  # packages that one account may create
    hel_package_bytes: int = 8 * MIB  # of all the packages that one account creates, as JSON without their files
    hel_file_bytes: int = 64 * MIB  # of all the files that one account stores, in blocks of 4 KiB
    hel_largest_file: int = 2 * MIB  # of one stored file; on Lambda also below max_body and max_answer
    hel_origins: tuple[str, ...] = ()  # web origins that may use Hel's API with the user's cookie
    luadns_engine: str = ""  # authoritative, route53, none; empty: the first with `serve --dns-port`, else none
    luadns_self_service: bool = False  # whether people may open LuaDNS' API for themselves; else administrators do
    luadns_name_servers: tuple[str, ...] = ("ns1.localhost.", "ns2.localhost.")  # NS of new zones, where we name them
    luadns_hostmaster: str = "hostmaster.localhost."  # the mailbox in the SOA of new zones, its @ written as a dot
    luadns_rate: int = 1200  # requests in five minutes for one key; 0: as many as they like
    luadns_ttl: int = 300  # of records that come without one
    luadns_max_zones: int = 500  # of one account
    luadns_max_records: int = 10_000  # of one zone
    luadns_delegation_set: str = ""  # id of a reusable delegation set of Route 53 behind luadns_name_servers
    luadns_forwarders: tuple[str, ...] = ()  # resolvers for ALIAS, ADDRESS or ADDRESS:PORT; empty: the system's
    luadns_transfer_to: tuple[str, ...] = ()  # addresses or networks that may have whole zones (AXFR)
    luadns_redirect_to: tuple[str, ...] = ()  # addresses of web servers that REDIRECT records lead to
    luadns_forward_to: tuple[str, ...] = ()  # mail servers, with a dot at the end, that FORWARD records lead to
    luadns_max_content: int = 64_000  # bytes of one record's content; an answer of DNS holds 65,535 in all

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"MOONBASE_{name.upper()} must be one of: {', '.join(map(repr, choices))}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read `environ`; ValueError names the variable that cannot be read."""
        given: dict[str, Any] = {}
        if region := environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"):
            given["region"] = region
        for field in fields(cls):
            variable = f"MOONBASE_{field.name.upper()}"
            if variable in environ:
                given[field.name] = _read(variable, environ[variable], type(field.default))
        return cls(**given)


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
    """The settings in force."""
    return _current


def install(settings: Settings) -> None:
    """Put `settings` in force for this process; table names are read when the models are first imported."""
    global _current
    _current = settings


@contextmanager
def override(**changes: Any) -> Iterator[Settings]:
    """Put changed settings in force for a while."""
    before = _current
    install(replace(before, **changes))
    try:
        yield _current
    finally:
        install(before)
