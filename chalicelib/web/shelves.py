"""What somebody has published, whatever the service: each of them has a shelf, and one page shows them all."""

from collections.abc import Callable
from dataclasses import dataclass

MOST = 100


@dataclass(frozen=True)
class Work:
    """Something to be found at `path`, which begins with a slash."""

    name: str
    summary: str
    path: str


WorksOf = Callable[[str], list[Work]]
_shelves: dict[str, WorksOf] = {}


def shelf(title: str) -> Callable[[WorksOf], WorksOf]:
    """Declare that the decorated function tells what is public of a user, by their name as the account writes it."""

    def declare(works_of: WorksOf) -> WorksOf:
        _shelves[title] = works_of
        return works_of

    return declare


def of(username: str) -> dict[str, list[Work]]:
    """A user's works by the titles of the shelves, `MOST` of each; no shelf is empty."""
    found = {title: works_of(username)[:MOST] for title, works_of in _shelves.items()}
    return {title: works for title, works in found.items() if works}
