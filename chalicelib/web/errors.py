"""HTTP statuses and headers of errors. A service may use other ones."""

from chalicelib.core import errors


class NoSuchPath(errors.NotFound):
    """There is no route for the path."""


class MethodNotAllowed(errors.CoreError):
    """The path has routes for other methods only; `detail["allowed"]` is the list of them."""


_STATUS: dict[type[errors.CoreError], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    MethodNotAllowed: 405,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.Busy: 503,
    errors.Full: 507,
}


def status_of(error: errors.CoreError) -> int:
    """Return the status of an error's nearest known base class, or 500."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def headers_of(error: errors.CoreError) -> list[tuple[str, str]]:
    """Return the headers of an error: Allow, Retry-After and WWW-Authenticate."""
    headers = []
    if challenge := error.detail.get("challenge"):
        headers.append(("WWW-Authenticate", challenge))
    if allowed := error.detail.get("allowed"):
        headers.append(("Allow", ", ".join(allowed)))
    if retry_after := error.detail.get("retry_after"):
        headers.append(("Retry-After", str(retry_after)))
    return headers
