"""The refusals that several rooms raise; wire.py gives each its shape."""

from chalicelib.core.errors import CoreError, Invalid, NotFound

_NO_SUCH_PAGE = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)


class Moved(CoreError):
    """The package has another name: `detail["to"]`, an `author/name`."""


def no_such_page() -> NotFound:
    """What upstream's framework says of a package or page that it cannot find."""
    return NotFound(_NO_SUCH_PAGE, framework=True)


def malformed() -> Invalid:
    """What upstream's framework says of a request that it cannot read."""
    return Invalid("The browser (or proxy) sent a request that this server could not understand.", framework=True)
