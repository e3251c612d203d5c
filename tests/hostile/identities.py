"""Credentials of every kind, and the way in which each service receives them."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.account import csrf
from chalicelib.core.identity import credentials
from tests.luadns.api import basic

SESSION = credentials.SESSION
KEYS = ("luarocks", "contentdb", "luadns", "hel")  # the services that have keys of their own


@dataclass(frozen=True)
class Identity:
    """A credential: its kind in words, the service of its key (or SESSION), its secret, its account's address."""

    kind: str
    service: str
    secret: str
    email: str = ""


@dataclass(frozen=True)
class Presented:
    """A credential in a request: what takes the place of `{key}` in the path, and headers."""

    key: str
    headers: Mapping[str, str]


def doors(service: str) -> tuple[str, ...]:
    """The ways in which a service receives credentials."""
    return _DOORS[service]


def present(identity: Identity | None, service: str, door: str) -> Presented:
    """Put a credential into a request to a service by one of its doors; None presents nothing."""
    if identity is None:
        return Presented("bearer", _ACCEPT)
    secret = identity.secret
    headers = {
        "path": {},
        "bearer": {"Authorization": f"Bearer {secret}"},
        "basic": {"Authorization": basic(identity.email, secret)},
        "cookie": {"Cookie": f"{_COOKIES.get(service)}={secret}", csrf.HEADER: csrf.token_for(secret)},
    }[door]
    return Presented(secret if door == "path" else "bearer", {**_ACCEPT, **headers})


_ACCEPT = {"Accept": "application/json"}  # LuaDNS requires it
_COOKIES = {"hel": "auth_tkt", "account": "moonbase_session"}
_DOORS = {
    "luarocks": ("path", "bearer"),
    "contentdb": ("bearer",),
    "luadns": ("basic", "path"),
    "hel": ("bearer", "cookie"),
    "account": ("cookie", "bearer"),
    "log": ("bearer",),
    "home": ("bearer",),
}
