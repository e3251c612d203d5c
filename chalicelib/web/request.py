"""Requests: API Gateway REST events from AWS, `chalice local` or the one-machine gateway, decoded on first use."""

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from chalicelib import settings
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Invalid
from chalicelib.web.bodies import SMALL, Form, parse_form, parse_json
from chalicelib.web.headers import parse_address, parse_host

Event = Mapping[str, Any]


class BodyPending(Exception):
    """The body is needed, but the gateway has not read it yet."""


class Request:
    """One request. `params` are the decoded path parameters.

    `caller` is set when the route has authenticated the request (`caller_resolved`); None for an anonymous request. A
    request is `pending` until its body is read: before that its size is that of the Content-Length header, and access
    to the body raises BodyPending. `admitted` says that all requirements of its route were checked meanwhile.
    `most_items` is the largest number of objects in the body, if its route changes many.
    """

    def __init__(self, event: Event, *, pending: bool = False) -> None:
        self._event = event
        self.pending = pending
        self.admitted = False
        self.most_items: int | None = None
        self._context: Mapping[str, Any] = event.get("requestContext") or {}
        self.method: str = event.get("httpMethod") or self._context["httpMethod"]
        self.params: dict[str, str] = {}
        self.caller: Caller | None = None
        self.caller_resolved = False

    @cached_property
    def raw_path(self) -> str:
        """The path as it was sent, percent-encoded, without a stage. `chalice local` has it only in the context."""
        return str(self._event.get("path") or self._context.get("path") or "/")

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The decoded path segments; doubled and trailing slashes are ignored."""
        return tuple(unquote(segment) for segment in self.raw_path.split("/") if segment)

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers by name in lower case; a repeated header has its last value."""
        given = self._event.get("headers") or {}
        return {name.lower(): value for name, value in given.items()}

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """All values of each query parameter, in order."""
        given = self._event.get("multiValueQueryStringParameters")
        if given is None:
            single = self._event.get("queryStringParameters") or {}
            return {name: [value] for name, value in single.items()}
        return {name: list(values) for name, values in given.items()}

    def argument(self, name: str) -> str | None:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else None

    @cached_property
    def body(self) -> bytes:
        """The raw body. Raises BodyPending, or Invalid for malformed Base64."""
        if self.pending:
            raise BodyPending
        body = self._event.get("body")
        if body is None:
            return b""
        if isinstance(body, bytes):
            return body
        if self._event.get("isBase64Encoded"):
            try:
                return base64.b64decode(body, validate=True)
            except ValueError:
                raise Invalid("The body is not Base64.") from None
        return str(body).encode(errors="surrogatepass")

    def receive(self, body: bytes) -> None:
        """Set the body of a pending request."""
        self.pending = False
        self.body = body

    @property
    def size(self) -> int:
        """The size of the body in bytes, without decoding it; of a pending body the Content-Length, else 0."""
        body = self._event.get("body") or ""
        if "body" in self.__dict__:
            actual = len(self.body)
        elif self._event.get("isBase64Encoded"):
            actual = len(body) * 3 // 4 - body[-2:].count("=")
        else:
            actual = len(body)
        declared = self.headers.get("content-length", "")[:18]
        return max(actual, int(declared) if declared.isascii() and declared.isdigit() else 0)

    @property
    def small_form(self) -> Form:
        """The form of a body of at most 64 KB; empty for a larger one, so that credentials need no large body.

        Raises Invalid, or BodyPending.
        """
        return self.form if self.size <= SMALL else Form()

    @cached_property
    def json(self) -> Any:
        """The body as JSON, with any content type. Raises Invalid."""
        return parse_json(self.body)

    @cached_property
    def form(self) -> Form:
        """The body as a form. Raises Invalid."""
        return parse_form(self.body, self.headers.get("content-type", ""))

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Cookies by name. A malformed cookie does not affect the others, as it does with `http.cookies`.

        With HTTP/2 a client can send each cookie in a separate header (RFC 9113, section 8.2.3).
        """
        headers = self._event.get("multiValueHeaders") or {}
        sent = next((values for name, values in headers.items() if name.lower() == "cookie"), None)
        pairs = (pair.partition("=") for pair in ";".join(sent or [self.headers.get("cookie", "")]).split(";"))
        return {name.strip(): value.strip().strip('"') for name, _, value in pairs if name.strip()}

    @cached_property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer TOKEN`, with the scheme in any letter case; None if there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        token = token.strip()
        return token if scheme.lower() == "bearer" and token else None

    @cached_property
    def basic(self) -> tuple[str, str] | None:
        """User name and password of `Authorization: Basic ...` (RFC 7617); None if missing or malformed."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except ValueError:
            return None
        return user, password

    @property
    def client_address(self) -> str:
        """The client's IP address as the gateway reports it; headers of the client are not used. Empty without one."""
        return parse_address(str((self._context.get("identity") or {}).get("sourceIp") or "")) or ""

    @cached_property
    def id(self) -> str:
        """The gateway's id of the request, or a random one."""
        return str(self._context.get("requestId") or uuid4())

    @property
    def user_agent(self) -> str:
        """The User-Agent header."""
        return self.headers.get("user-agent", "")

    @property
    def second_factor_code(self) -> str | None:
        """The code of the second factor in the header `X-TFA-Code`."""
        return self.headers.get("x-tfa-code")

    @property
    def device(self) -> Device:
        """The address and User-Agent of the client, for sessions."""
        return Device(self.client_address, self.user_agent)

    @property
    def secure(self) -> bool:
        """Whether the client uses https."""
        return self.base_url.startswith("https:")

    @cached_property
    def base_url(self) -> str:
        """scheme://host[/stage] as the client sees it, without a trailing slash."""
        if configured := settings.current().base_url:
            return configured.rstrip("/")
        return f"{self._scheme}://{parse_host(self.headers.get('host', '')) or 'localhost'}{self._stage_prefix}"

    @property
    def used_url(self) -> str:
        """`base_url`; for a request by another scheme than that of the setting, with its scheme and host."""
        scheme, host = self._scheme, parse_host(self.headers.get("host", ""))
        if self.base_url.startswith(f"{scheme}://") or not host:
            return self.base_url
        return f"{scheme}://{host}{urlsplit(self.base_url).path}"

    @property
    def _scheme(self) -> str:
        return "https" if self.headers.get("x-forwarded-proto") == "https" else "http"

    @property
    def _stage_prefix(self) -> str:
        """The stage, such as `/api`, if the client calls API Gateway's own host name, where paths start with it."""
        if not self._event.get("path"):
            return ""
        full, path = str(self._context.get("path") or "").rstrip("/"), self.raw_path.rstrip("/")
        return full.removesuffix(path) if full.endswith(path) else ""
