"""The page of a user: the name, and public works in all services.

Upstream's pages of packages and users belong to another program, where users see only their own page. This page shows
only data that public lists contain.
"""

from urllib.parse import quote

from chalicelib.hel import index
from chalicelib.hel.entry import UserEntry
from chalicelib.web import html, shelves
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.slice import Work


def render_user(request: Request, user: UserEntry) -> Response:
    """Render the page of a user."""
    return html.page(request, "hel/user.html", name=user.nickname, shelves=shelves.of(user.nickname))


def works_of(username: str) -> list[Work]:
    """The works of a user on Hel: packages."""
    owned = (entry.value for entry in index.of_owner(index.catalogue.snapshot(), username))
    theirs = [value for value in owned if not value.archived]
    return [Work(value.name, value.short_description, f"/packages/{quote(value.name)}") for value in theirs]
