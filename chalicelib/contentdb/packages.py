"""Finding and creating packages."""

from chalicelib.contentdb import index
from chalicelib.core.errors import CoreError, NotFound
from chalicelib.core.views import Entry, View

NO_SUCH_PAGE = (
    "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again."
)


class Moved(CoreError):
    """The package has another name: `detail["to"]`, an `author/name`."""


def get(view: View, author: str, name: str) -> Entry:
    """A package in any state but DELETED; raises NotFound, or Moved for an alias or a game's name without `_game`."""
    key = f"{author}/{name}"
    entry = view.entries.get(key)
    if entry and "#" not in key:
        return entry
    game = view.entries.get(f"{key}_game")
    other = game if game and game.value["type"] == "game" else index.by_alias(view).get(key)
    if other:
        raise Moved(to=other.key)
    raise NotFound(NO_SUCH_PAGE, framework=True)
