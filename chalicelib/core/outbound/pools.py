"""Pools of HTTP connections (urllib3's): direct ones to checked addresses, or through the proxy of the environment."""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers, parse_url

from chalicelib.core.outbound import sockets
from chalicelib.core.outbound.addresses import AddressRules, Origin

logging.getLogger("urllib3").setLevel(logging.WARNING)  # below, it logs paths, which can contain secrets

REDIRECTS = 5
_CONNECT_TIMEOUT = 10.0  # seconds for each address of a host
_READ_TIMEOUT = 20.0  # seconds without a byte
_KEPT = 8  # idle connections to one host
_PORTS = {"http": 80, "https": 443}

Proxies = Mapping[str, str]  # as urllib.request.getproxies_environment returns them


def proxies_of_environment() -> Proxies:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, by `http`, `https`, `all` and `no`."""
    return getproxies_environment() if any(name.lower().endswith("_proxy") for name in os.environ) else {}


def origin_of(url: str) -> Origin:
    """The host and port of a URL. Raises urllib3's LocationParseError."""
    parsed = parse_url(url)
    return ((parsed.host or "").strip("[]").lower(), parsed.port or _PORTS.get(parsed.scheme or "", 0))


def split_user(url: str) -> tuple[str, str | None]:
    """A URL without its user and password, and these as `user:password` or None. Raises LocationParseError."""
    parsed = parse_url(url)
    return parsed._replace(auth=None).url, parsed.auth


class Pools:
    """The pools for some rules; `for_url` chooses by the proxies. Redirects are urllib3's, at most `redirects`."""

    def __init__(self, rules: AddressRules, proxies: Proxies, agent: str, redirects: int = REDIRECTS) -> None:
        self._rules = rules
        self._proxies = proxies
        self._proxied: dict[str, _Proxied] = {}
        self._options: dict[str, Any] = {
            "retries": Retry(total=redirects, connect=0, read=0, redirect=redirects, status=0, other=0),
            "timeout": Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT),
            "headers": {"User-Agent": agent},
            "ssl_context": sockets.tls_context(),
            "maxsize": _KEPT,
        }

    def for_url(self, url: str) -> PoolManager:
        """The pool for a URL: through the proxy for its scheme, if there is one and NO_PROXY does not list the host."""
        host, port = origin_of(url)
        proxy = self._proxies.get(url.partition(":")[0].lower()) or self._proxies.get("all")
        if not proxy or proxy_bypass_environment(f"{host}:{port}", dict(self._proxies)):
            return self._direct
        if proxy not in self._proxied:
            self._proxied[proxy] = _Proxied(proxy, self._rules, self._options)
        return self._proxied[proxy]

    def close(self) -> None:
        """Close all idle connections."""
        for pool in (self._direct, *self._proxied.values()):
            pool.clear()

    @cached_property
    def _direct(self) -> PoolManager:
        pool = PoolManager(**self._options)
        pool.pool_classes_by_scheme = _guarded_by(self._rules)
        return pool


class _Proxied(ProxyManager):
    """A pool of connections to a proxy, which connects to the hosts: this side checks what it can resolve."""

    def __init__(self, proxy: str, rules: AddressRules, options: dict[str, Any]) -> None:
        address, user = split_user(proxy if "://" in proxy else f"http://{proxy}")
        headers = make_headers(proxy_basic_auth=user) if user else None
        super().__init__(address, proxy_headers=headers, **options)
        trusted = AddressRules(rules.networks, rules.trusted | {origin_of(address)})
        self.pool_classes_by_scheme = _guarded_by(trusted)
        self._rules = rules

    def urlopen(self, method: str, url: str, redirect: bool = True, **more: Any) -> BaseHTTPResponse:  # type: ignore[override]
        """Also called for each redirect."""
        sockets.check_name(*origin_of(url), self._rules)
        return super().urlopen(method, url, redirect=redirect, **more)


def _guarded_by(address_rules: AddressRules) -> dict[str, Any]:
    class Plain(_Guarded, HTTPConnection):
        rules = address_rules

    class Secure(_Guarded, HTTPSConnection):
        rules = address_rules

    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure}),
    }


class _Guarded:
    """A urllib3 connection that checks the address before it connects."""

    rules: AddressRules
    _dns_host: str
    port: int
    timeout: Any
    sock: socket.socket | None

    def getresponse(self) -> Any:
        """Close the connection after a malformed head, for which urllib3 can leave it open."""
        connection = self.sock
        try:
            return super().getresponse()  # type: ignore[misc]
        except BaseException:
            if connection is not None:
                with suppress(OSError):
                    os.close(connection.detach())
            raise

    def _new_conn(self) -> sockets.TimedSocket:
        timeout = self.timeout if isinstance(self.timeout, int | float) else _CONNECT_TIMEOUT
        return sockets.connect(self._dns_host, self.port, self.rules, timeout)
