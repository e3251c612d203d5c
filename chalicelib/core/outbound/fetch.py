"""HTTP requests to other servers, with limits of size and time; `fetch` makes one, a `WebClient` makes several."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from types import MappingProxyType
from urllib.parse import urljoin

from urllib3.exceptions import HTTPError, LocationParseError, SSLError
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers, parse_url

from chalicelib.core.errors import Busy, Invalid
from chalicelib.core.outbound import sockets
from chalicelib.core.outbound.addresses import address_rules
from chalicelib.core.outbound.agent import user_agent
from chalicelib.core.outbound.pools import Pools, origin_of, proxies_of_environment, split_user

_REDIRECTING = (301, 302, 303, 307, 308)
_RETRIED = (429, 500, 502, 503, 504)
_FOLLOWED = ("GET", "HEAD")
_OWN_ORIGIN_ONLY = ("authorization", "cookie")  # headers that a redirect to another origin drops
_PART = 1 << 16  # bytes
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class OutboundFailed(Busy):
    """The other server cannot be reached, is too slow, or its response is unusable; `repeatable` if that may change."""

    def __init__(self, message: str, repeatable: bool = True) -> None:
        super().__init__(message, retry_after=60)
        self.repeatable = repeatable


@dataclass(frozen=True)
class Caps:
    """The limits of a request: `size` of the response in bytes, decompressed, and `seconds` for everything together.

    A response above `size` is an error, or is cut with `cut`. A connection that fails, and a status such as 503, is
    tried again after a growing pause, up to `attempts` times within the `seconds`.
    """

    size: int
    seconds: float
    redirects: int = 5
    attempts: int = 1
    cut: bool = False


@dataclass(frozen=True)
class Validators:
    """What identifies the version of a response (RFC 9110, section 8.8), for a conditional request."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The conditions of a request: the server answers 304 if its version is still this one."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True)
class WebAnswer:
    """A response of any status: its headers by name in lower case, and the `url` after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def validators(self) -> Validators:
        """The version of this response."""
        return Validators(self.headers.get("etag"), self.headers.get("last-modified"))

    @property
    def is_unchanged(self) -> bool:
        """Whether the server still has the version of the request's validators."""
        return self.status == 304


class WebClient:
    """Makes requests, and keeps connections for further ones. The host of `own`, an operator's URL, may be private."""

    def __init__(self, own: str | None = None) -> None:
        trusted = [origin_of(own)] if own else []
        self._pools = Pools(address_rules(trusted=trusted), proxies_of_environment(), user_agent())

    def close(self) -> None:
        """Close the connections."""
        self._pools.close()

    def fetch(
        self,
        url: str,
        caps: Caps,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        known: Validators | None = None,
    ) -> WebAnswer:
        """Return the response, of any status. Raises OutboundFailed, ForbiddenAddress, or Invalid for a bad URL.

        Redirects of GET and HEAD are followed. No message contains more of the URL than its host.
        """
        given = {"Accept-Encoding": "gzip", **headers, **(known or Validators()).headers}
        with sockets.within(caps.seconds):
            for attempt in range(1, caps.attempts):
                answer, failure = self._attempt(method, url, given, body, caps)
                if answer and answer.status not in _RETRIED:
                    return answer
                if failure and not failure.repeatable:
                    raise failure
                if not _pause(attempt, answer):
                    break
            else:
                answer, failure = self._attempt(method, url, given, body, caps)
            if answer is None:
                raise failure or OutboundFailed("There was no attempt.")
            return answer

    def _attempt(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, caps: Caps
    ) -> tuple[WebAnswer | None, OutboundFailed | None]:
        try:
            return self._follow(method, url, headers, body, caps), None
        except OutboundFailed as failure:
            return None, failure

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, caps: Caps) -> WebAnswer:
        """The response at the end of the redirects."""
        check_url(url)
        for _ in range(caps.redirects + 1):
            with _explained(url), closing(self._send(method, url, headers, body)) as response:
                location = response.headers.get("location")
                if location is None or response.status not in _REDIRECTING or method not in _FOLLOWED:
                    content = _read(response, caps)
                    fields = {name.lower(): value for name, value in response.headers.items()}
                    response.release_conn()
                    return WebAnswer(response.status, fields, content, url)
            target = target_of(url, location)
            headers = _headers_for(target, url, headers)
            url = target
        raise OutboundFailed(f"{_host(url)} redirects too often.", repeatable=False)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        pool = self._pools.for_url(url)
        return pool.urlopen(
            method,
            url,
            redirect=False,
            retries=False,
            preload_content=False,
            headers={**pool.headers, **headers},
            body=body,
        )


def fetch(
    url: str,
    caps: Caps,
    *,
    method: str = "GET",
    headers: Mapping[str, str] = _NO_HEADERS,
    body: bytes | None = None,
    known: Validators | None = None,
    trusted: bool = False,
) -> WebAnswer:
    """Make one request, see WebClient.fetch. An operator's own URL is `trusted`: its host may be private."""
    check_url(url)
    with closing(WebClient(url if trusted else None)) as client:
        return client.fetch(url, caps, method=method, headers=headers, body=body, known=known)


def _read(response: BaseHTTPResponse, caps: Caps) -> bytes:
    """The body. Raises OutboundFailed if it exceeds the limit, unless it may be cut."""
    declared = response.headers.get("content-length", "")
    if not caps.cut and declared.isdecimal() and int(declared[:18]) > caps.size and response.status != 304:
        raise _too_large(response, caps)
    content = bytearray()
    while len(content) <= caps.size and (part := response.read(min(_PART, caps.size + 1 - len(content)))):
        content += part
    if len(content) > caps.size:
        if not caps.cut:
            raise _too_large(response, caps)
        response.close()
    return bytes(content[: caps.size])


def _too_large(response: BaseHTTPResponse, caps: Caps) -> OutboundFailed:
    response.close()
    return OutboundFailed(f"The response is larger than {caps.size} bytes.", repeatable=False)


def basic_authorization(url: str) -> tuple[str, dict[str, str]]:
    """An operator's URL without its user and password, and the header with them. Raises Invalid."""
    try:
        plain, user = split_user(url)
    except LocationParseError:
        raise Invalid("This is not a URL.") from None
    check_url(plain)
    return plain, {"Authorization": make_headers(basic_auth=user)["authorization"]} if user else {}


def check_url(url: str) -> None:
    """Raise Invalid unless this is an http or https URL without a user."""
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise Invalid("This is not a URL.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Invalid("A URL must start with http:// or https:// and the name of a host.")
    if parsed.auth:
        raise Invalid("A URL must not contain a user or a password.")


def target_of(url: str, location: str) -> str:
    """The URL to which a response redirects. Raises OutboundFailed if it is none, or leaves https."""
    try:
        target = urljoin(url, location)
        check_url(target)
    except (Invalid, ValueError):
        raise OutboundFailed(f"{_host(url)} redirects to a URL that cannot be requested.", repeatable=False) from None
    if url.startswith("https:") and not target.startswith("https:"):
        raise OutboundFailed(f"{_host(url)} redirects to an address without https.", repeatable=False)
    return target


def _headers_for(target: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a redirected request."""
    if origin_of(target) == origin_of(url):
        return headers
    return {name: value for name, value in headers.items() if name.lower() not in _OWN_ORIGIN_ONLY}


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise errors of the connection as OutboundFailed."""
    host, failed = _host(url), ""
    try:
        yield
    except SSLError:
        failed = f"A secure connection to {host} is not possible."
    except (HTTPError, HTTPException, OSError):
        failed = f"{host} cannot be reached, or does not answer properly."
    if failed:  # out of the handler, because the exception would keep the connection open
        raise OutboundFailed(_slow(host) or failed)


def _slow(host: str) -> str | None:
    """A message if the time is over."""
    try:
        sockets.remaining()
    except TimeoutError:
        return f"{host} is too slow."
    return None


def _pause(attempt: int, answer: WebAnswer | None) -> bool:
    """Wait before the next attempt, as long as the server wishes; False if that is longer than there is time."""
    seconds = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311
    seconds = max(seconds, _wished(answer))
    try:
        if seconds >= (sockets.remaining() or 0.0):
            return False
    except TimeoutError:
        return False
    time.sleep(seconds)
    return True


def _wished(answer: WebAnswer | None) -> float:
    """The seconds of Retry-After, a number or a date; 0 without one."""
    text = answer.headers.get("retry-after", "") if answer else ""
    if text.isdecimal():
        return float(text[:9])
    try:
        return parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _host(url: str) -> str:
    return str(parse_url(url).host)
