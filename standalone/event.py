"""Converts an HTTP request to an API Gateway proxy event."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope


def proxy_event(scope: "HTTPScope", body: bytes = b"") -> dict[str, Any]:
    """Return the event that API Gateway would send to Lambda, except that the body is bytes, not base64.

    Header names are in lower case. Fields with a single value per name have the last one.
    """
    method = scope["method"]
    path = scope["raw_path"].decode("ascii")
    resource = "/" if path == "/" else "/{proxy+}"
    headers = _grouped((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    headers["x-forwarded-proto"] = [scope["scheme"]]
    query = _grouped(parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True))
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None if path == "/" else {"proxy": unquote(path[1:])},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": path,
            "stage": "",
            "protocol": f"HTTP/{scope['http_version']}",
            "identity": {
                "sourceIp": scope["client"][0] if scope["client"] else None,
                "userAgent": headers.get("user-agent", [None])[-1],
            },
            "requestId": str(uuid4()),
            "requestTimeEpoch": time.time_ns() // 1_000_000,
        },
        "body": body or None,
        "isBase64Encoded": False,
    }


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _last(groups: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items()}
