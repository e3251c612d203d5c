"""Judges the response to any hostile request: statuses, envelopes, tracebacks, secrets and security headers."""

import gzip
import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.client import Reply
from tests.hostile.generator import HostileRequest

UNAVAILABLE = (503, 507)  # the only server errors that a client may see, in the envelope of the service
_TRACES = (b"Traceback (most recent call last)", b'File "/', b"chalicelib/", b"site-packages")


def problem(sent: HostileRequest, reply: Reply, secrets: Iterable[str] = ()) -> str | None:
    """What is wrong with a response; None for a correct one."""
    if reply.status >= 500 and reply.status not in UNAVAILABLE:
        return f"status {reply.status}"
    if not 200 <= reply.status < 600:
        return f"no status: {reply.status}"
    if any(trace in reply.body for trace in _TRACES):
        return "a traceback in the body"
    if leaked(reply, secrets):
        return "a secret in the response"
    return _protection(reply) or _form(sent, reply)


def leaked(reply: Reply, secrets: Iterable[str]) -> bool:
    """Whether a response contains a stored secret or the hash of a password."""
    text = reply.body + "\n".join(value for values in reply.headers.values() for value in values).encode()
    return any(secret.encode() in text for secret in secrets)


def _protection(reply: Reply) -> str | None:
    """Why a browser could guess the type of a response, or run something in it; None if it cannot."""
    if reply.headers.get("x-content-type-options") != ["nosniff"]:
        return "no nosniff"
    kind = (reply.header("content-type") or "").partition(";")[0]
    policy = reply.header("content-security-policy") or ""
    runs = kind not in ("", "application/json") and "default-src 'none'" not in policy
    return f"no policy for {kind}" if runs or "script-src" in policy else None


def _form(sent: HostileRequest, reply: Reply) -> str | None:
    if sent.method == "HEAD" or reply.status in (204, 304):
        return f"a body with {reply.status} to {sent.method}" if reply.body else None
    kind = (reply.header("content-type") or "").partition(";")[0]
    if kind == "application/json":
        try:
            text = gzip.decompress(reply.body) if reply.header("content-encoding") == "gzip" else reply.body
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, OSError):
            return "malformed JSON"
        fits = sent.service is None or reply.status < 400 or _ENVELOPES[sent.service](data)
        return None if fits else f"not in the envelope of {sent.service}"
    if reply.status < 400:
        return None
    if kind == "text/html" and reply.body.lstrip().lower().startswith(b"<!doctype html"):
        return None
    # The game shows errors as they are; dyndns2 answers in words.
    if kind == "text/plain" and ("for-client" in sent.path or sent.path.startswith("/nic/update")):
        return None
    return f"an error as {kind or 'nothing'}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _has_texts(data: Any, *names: str) -> bool:
    return isinstance(data, dict) and all(isinstance(data.get(name), str) for name in names)


def _is_luarocks(data: Any) -> bool:
    return isinstance(data, dict) and bool(data.get("errors")) and all(isinstance(each, str) for each in data["errors"])


def _is_contentdb(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and data.get("success") is False
        and (_has_texts(data, "error") or _has_texts(data, "name", "description"))
    )


def _is_luadns(data: Any) -> bool:
    return _has_texts(data, "status", "request_id", "message") or isinstance(data, list)


def _is_hel(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and data.get("success") is False
        and isinstance(data.get("code"), int)
        and "message" in data
    )


def _is_home(data: Any) -> bool:
    return _has_texts(data, "message")


_ENVELOPES: dict[str, Callable[[Any], bool]] = {
    "luarocks": _is_luarocks,
    "contentdb": _is_contentdb,
    "luadns": _is_luadns,
    "hel": _is_hel,
    "account": _is_home,
    "log": _is_home,
    "home": _is_home,
}
