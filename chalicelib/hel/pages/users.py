"""A user as a page: the name, and what is public of their works, whatever the service.

Upstream's packages and users are pages of another program. Of a user it shows nobody but themselves anything; what this
page shows stands in public lists.
"""

from urllib.parse import quote

from chalicelib.hel import index
from chalicelib.hel.entry import UserEntry
from chalicelib.web import html, shelves
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.slice import Work


def render_user(request: Request, user: UserEntry) -> Response:
    """A user."""
    return html.page(request, "hel/user.html", name=user.nickname, shelves=shelves.of(user.nickname))


def works_of(username: str) -> list[Work]:
    """The packages of a user."""
    values = [entry.value for entry in index.catalogue.snapshot().entries.values()]
    theirs = [value for value in values if username.lower() in map(str.lower, value.owners)]
    return [Work(value.name, value.short_description, f"/packages/{quote(value.name)}") for value in theirs]
