"""The errors that several folders raise; wire.py renders them."""

from chalicelib.core.errors import CoreError, Invalid, NotFound

_NO_SUCH_PAGE = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)


class Moved(CoreError):
    """The package has another name: `detail["to"]`, as `author/name`."""


def no_such_page() -> NotFound:
    """The error of upstream's framework for an unknown package or page."""
    return NotFound(_NO_SUCH_PAGE, framework=True)


def malformed(reason: str) -> Invalid:
    """The error of upstream's framework for a malformed request, with the reason: a sentence that names its part."""
    return Invalid(
        f"The browser (or proxy) sent a request that this server could not understand. {reason}", framework=True
    )
