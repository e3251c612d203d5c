"""Errors: a message for people, details for the service that renders them."""

import inspect

import pytest

from chalicelib.core import errors, storage
from chalicelib.core.errors import CoreError
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.web.errors import MethodNotAllowed, headers_of, status_of


def test_an_error_has_its_message_and_details() -> None:
    error = errors.Invalid("No.", field="x", messages=["No.", "Never."])
    assert (str(error), error.message, error.detail) == ("No.", "No.", {"field": "x", "messages": ["No.", "Never."]})


def test_an_error_can_have_no_message() -> None:
    error = errors.NotFound()
    assert (str(error), error.message, error.detail) == ("", "", {})


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Invalid, 400),
        (errors.Unauthenticated, 401),
        (errors.Forbidden, 403),
        (errors.SecondFactorRequired, 403),
        (accounts.Suspended, 403),
        (credentials.Revoked, 403),
        (errors.NotFound, 404),
        (MethodNotAllowed, 405),
        (errors.Conflict, 409),
        (errors.Stale, 412),
        (accounts.UsernameTaken, 409),
        (accounts.EmailTaken, 409),
        (two_factor.NotEnabled, 409),
        (errors.TooLarge, 413),
        (errors.TooMany, 429),
        (errors.InternalError, 500),
        (errors.CoreError, 500),
        (errors.Busy, 503),
        (storage.Contended, 503),
    ],
)
def test_every_error_has_its_status(kind: type[CoreError], status: int) -> None:
    assert status_of(kind("x")) == status


def test_only_an_internal_error_is_a_500() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CoreError)]
    assert [kind for kind in kinds if status_of(kind()) == 500] == [errors.CoreError, errors.InternalError]


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (errors.NotFound("x"), []),
        (MethodNotAllowed("x", allowed=["GET", "HEAD"]), [("Allow", "GET, HEAD")]),
        (errors.TooMany("x", retry_after=7), [("Retry-After", "7")]),
        (errors.Busy("x", retry_after=2), [("Retry-After", "2")]),
    ],
)
def test_errors_have_http_headers(error: CoreError, headers: list[tuple[str, str]]) -> None:
    assert headers_of(error) == headers
