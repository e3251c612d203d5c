"""The request bodies of Hel's API, parsed."""

import json
from typing import Any

from chalicelib.core.errors import Invalid
from chalicelib.hel import files, model, patch
from chalicelib.hel.model import Document
from chalicelib.hel.users import UserChanges
from chalicelib.web.request import Request


def bad_request() -> Invalid:
    """Hel's error for an invalid body."""
    return Invalid("Bad request.")


def parse_object(request: Request) -> Document:
    """The body as a JSON object, for any content type. Raises Invalid."""
    try:
        data = request.json
    except Invalid:
        raise bad_request() from None
    if not isinstance(data, dict):
        raise bad_request()
    return data


def parse_fields(data: Document, *names: str) -> list[str]:
    """The texts of these fields, stripped. Raises Invalid."""
    values = [data.get(name) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise bad_request()
    return [str(value).strip() for value in values]


def parse_package(request: Request, creator: str) -> Document:
    """The package in the body, see model.parse. Raises Invalid."""
    return model.parse(parse_distinct(request), creator)


def parse_distinct(request: Request) -> Document:
    """The body as a JSON object without repeated keys: of two files with one URL, one would be lost. Raises Invalid."""
    data = parse_object(request)
    json.loads(request.body, object_pairs_hook=_require_distinct, parse_int=str)  # of an int, Python limits the digits
    return data


def _require_distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            raise Invalid(f"Bad value {name!r} is there twice in the data you provided.")
        seen.add(name)


def parse_user(request: Request) -> UserChanges:
    """The changes of a user. Raises Invalid."""
    data = parse_object(request)
    names = ("nickname", "password", "current_password", "code")
    texts = {name: patch.text(data[name], name).strip() for name in names if name in data}
    groups = patch.texts(data["groups"], "groups") if "groups" in data else None
    return UserChanges(**texts, groups=groups)


def parse_new_user(request: Request) -> list[str]:
    """The nickname, e-mail address and password of a new user. Raises Invalid."""
    try:
        return parse_fields(parse_object(request), "nickname", "email", "password")
    except Invalid:
        raise bad_user() from None


def bad_user() -> Invalid:
    """Hel's error for every invalid new user."""
    return Invalid("This user data you provided contained an error.")


def parse_file(request: Request) -> tuple[str, str | None, bytes]:
    """A file's name, place and bytes: the only file of a multipart form; or the body, with the name in the query.

    The place is the path on a player's machine, or None. Other content types are ignored, because curl sends any body
    as a form.
    """
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    uploads = [upload for several in request.form.files.values() for upload in several] if is_form else []
    if len(uploads) > 1:
        raise Invalid("Send one file at a time.")
    name, content = (uploads[0].filename, uploads[0].content) if uploads else ("", request.body)
    return *files.name_of(request.argument("name") or name, request.argument("path")), content
