"""HTTP's numbers for what can go wrong; a dialect may have others."""

from chalicelib.core import errors


class NoSuchPath(errors.NotFound):
    """No route has this path."""


class MethodNotAllowed(errors.CoreError):
    """The path exists for other methods: `detail["allowed"]`, a list of them."""


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
    """The status of an error by its nearest class; 500 for what is no refusal."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def headers_of(error: errors.CoreError) -> list[tuple[str, str]]:
    """What HTTP wants beside the status: Allow, Retry-After, WWW-Authenticate."""
    headers = []
    if challenge := error.detail.get("challenge"):
        headers.append(("WWW-Authenticate", challenge))
    if allowed := error.detail.get("allowed"):
        headers.append(("Allow", ", ".join(allowed)))
    if retry_after := error.detail.get("retry_after"):
        headers.append(("Retry-After", str(retry_after)))
    return headers
