"""The published works of a user in all services, for the page that lists them."""

from chalicelib.web.slice import Work, offered

MOST = 100


def of(username: str) -> dict[str, list[Work]]:
    """A user's works by the titles of the shelves, at most `MOST` of each; empty shelves are left out."""
    shelves = [each.works for each in offered() if each.works]
    found = {shelf.title: shelf.works_of(username)[:MOST] for shelf in shelves}
    return {title: works for title, works in found.items() if works}
