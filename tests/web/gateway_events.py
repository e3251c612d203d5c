"""Events as API Gateway documents them for a REST API's Lambda proxy integration, and as `chalice local` makes them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Query = Mapping[str, Sequence[str]]


def rest_event(
    method: str,
    path: str,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    stage: str = "",
    resource: str = "/{proxy+}",
) -> dict[str, Any]:
    """What API Gateway sends: a body in base64, null for what is not there, the stage in the context's path."""
    sent = {"Host": "api.test", "X-Forwarded-Proto": "https", **(headers or {})}
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items() if values} if query else None,
        "multiValueQueryStringParameters": dict(query) if query else None,
        "pathParameters": {"proxy": unquote(path.lstrip("/"))},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": f"/{stage}{path}" if stage else path,
            "stage": stage or "prod",
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "test"},
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def local_event(
    method: str,
    path: str,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> dict[str, Any]:
    """What `chalice local` makes: no path or method on top, header names in lower case, the body as bytes."""
    return {
        "requestContext": {
            "httpMethod": method,
            "resourcePath": "/{proxy+}",
            "identity": {"sourceIp": "127.0.0.1"},
            "path": path,
        },
        "headers": {"host": "localhost:8000", **{name.lower(): value for name, value in (headers or {}).items()}},
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": {},
        "multiValueQueryStringParameters": dict(query) if query else None,
        "body": body,
    }
