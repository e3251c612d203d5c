"""The OpenAPI document, generated from the declared operations."""

import re
from functools import cache
from typing import Any

from chalicelib.account import csrf, fields, shapes
from chalicelib.account.service import Operation, operations

_ABOUT = """\
Accounts, keys and the second factor of this server. `log-in` creates a session: as a cookie for browsers, and as a
secret for `Authorization: Bearer`. A write by cookie must contain the session's CSRF token, which `log-in` and `me`
return; with a Bearer token it is not needed. Every error is `{"message": ...}`, with the `field` of the error if it has
one.
"""
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A session's secret."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "moonbase_session",
        "description": "Its name is `__Host-moonbase_session` over https.",
    },
    "csrf": {"type": "apiKey", "in": "header", "name": csrf.HEADER, "description": "The session's CSRF token."},
}


@cache
def document() -> dict[str, Any]:
    """The document as JSON."""
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Moonbase accounts", "version": "1", "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": {"Error": fields.schema_of(shapes.ERROR)}, "securitySchemes": _SECURITY},
    }


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": (operation.handler.__doc__ or "").strip(),
        "security": _security(operation),
        "responses": _answers(operation),
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.accepts and operation.method != "GET":
        described["requestBody"] = {"required": True, "content": _json(fields.schema_of(operation.accepts))}
    return described


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.credential.anonymous:
        return []
    by_cookie: dict[str, list[str]] = {"cookie": []}
    if operation.method not in csrf.SAFE_METHODS:
        by_cookie["csrf"] = []
    return [{"bearer": []}, by_cookie]


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if name == "id" else "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.accepts and operation.method == "GET":
        found += [
            {"name": name, "in": "query", "required": False, "schema": field.schema}
            for name, field in operation.accepts.items()
        ]
    return found


def _answers(operation: Operation) -> dict[str, Any]:
    given = [(operation.status, operation.returns), *([operation.may_return] if operation.may_return else [])]
    answers: dict[str, Any] = {
        str(status): {"description": "Success."} | ({"content": _json(fields.schema_of(shape))} if shape else {})
        for status, shape in given
    }
    error = {"$ref": "#/components/schemas/Error"}
    return {**answers, "default": {"description": "An error.", "content": _json(error)}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
