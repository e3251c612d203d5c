"""Events of API Gateway's REST APIs with Lambda proxy integration, as documented, and events of `chalice local`."""

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Query = Mapping[str, Sequence[str]]
EVENTS = Path(__file__).parent.parent / "events"


def sample(name: str) -> dict[str, Any]:
    """An event with every field that AWS documents, from `tests/events`."""
    event: dict[str, Any] = json.loads(_text_of(name))
    return event


def rest_event(
    method: str,
    path: str,
    *,
    query: Query | None = None,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    body: bytes | None = None,
    stage: str = "",
    resource: str = "/{proxy+}",
    params: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event of API Gateway: base64 body, null for missing values, decoded parameters, raw path.

    With a `stage` the client called API Gateway's own host name, where paths start with it; otherwise a custom domain.
    """
    event = sample("rest-execute-api" if stage else "rest-custom-domain")
    added = {name: value for name, value in event["headers"].items() if name.startswith("X-")}
    given = {"Host": event["headers"]["Host"] if stage else "api.test", **added, **(headers or {})}
    sent = {name: [value] if isinstance(value, str) else [*value] for name, value in given.items()}
    host = sent["Host"][-1]
    event.update(
        resource=resource,
        path=path,
        httpMethod=method,
        headers=_last(sent),
        multiValueHeaders=sent,
        queryStringParameters=_last(query) if query else None,
        multiValueQueryStringParameters=dict(query) if query else None,
        pathParameters=({"proxy": unquote(path.lstrip("/"))} if params is None else dict(params)) or None,
        body=base64.b64encode(body).decode() if body else None,
        isBase64Encoded=bool(body),
    )
    event["requestContext"].update(
        resourcePath=resource,
        httpMethod=method,
        path=f"/{stage}{path}" if stage else path,
        domainName=host,
        domainPrefix=host.partition(".")[0],
    )
    event["requestContext"]["identity"]["userAgent"] = _last(sent).get("User-Agent")
    return event


def local_event(
    method: str,
    path: str,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> dict[str, Any]:
    """Return an event of `chalice local`: no path or method at the top level, lower-case header names, bytes body."""
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


class Resources:
    """An API's tree of resources, which API Gateway searches for each request."""

    def __init__(self, routes: Mapping[str, Collection[str]]) -> None:
        """`routes` are the methods of each declared path."""
        self._routes = routes
        self._fixed: set[str] = set()
        self._variable: dict[str, str] = {}
        for route in routes:
            above = ""
            for segment in route.strip("/").split("/"):
                if segment.startswith("{") and not segment.endswith("+}"):
                    self._variable[above] = segment
                above += f"/{segment}"
                self._fixed.add(above)

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """Return the resource and the path parameters.

        A fixed segment takes precedence over the variable one, without backtracking. A request without a resource for
        its path and method goes to the root's `{proxy+}`.
        """
        resource, params = "", dict[str, str]()
        for segment in path.strip("/").split("/"):
            if f"{resource}/{segment}" in self._fixed:
                resource += f"/{segment}"
            elif variable := self._variable.get(resource):
                resource += f"/{variable}"
                params[variable.strip("{}")] = unquote(segment)
            else:
                resource = ""
                break
        if method in self._routes.get(resource, ()):
            return resource, params
        return "/{proxy+}", {"proxy": unquote(path[1:])}


def _last(groups: Query) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items() if values}


@cache
def _text_of(name: str) -> str:
    return (EVENTS / f"{name}.json").read_text()
