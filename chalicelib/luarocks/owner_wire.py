"""The requests and responses of the API for owners."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, cast

from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from chalicelib.luarocks import documents, modules, rockspecs, wire
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.luarocks.modules import ModuleEdit
from chalicelib.luarocks.removal import Flags
from chalicelib.luarocks.security_audit import Publication, Replaced
from chalicelib.web.request import Request
from chalicelib.web.response import Response, json_response


def parse_edit(request: Request) -> ModuleEdit:
    """The changes to a module. Raises Invalid."""
    given = _object(request, *modules.EDITABLE)
    return cast(ModuleEdit, _read(given))


def parse_new_holder(request: Request) -> Account:
    """The account that a transfer names in `to`. Raises Invalid or NotFound."""
    return accounts.named(_text("to", _object(request, "to")["to"]) or "")


def parse_flags(request: Request) -> Flags:
    """The changes of a version. Raises Invalid."""
    return cast(Flags, _read(_object(request, *Flags.__annotations__)))


def parse_manifest(request: Request) -> dict[str, Any]:
    """The description of a custom manifest; the body can be empty. Raises Invalid."""
    given = _object(request, "display_name", "description", "is_open") if request.body else {}
    return _read(given)


def parse_audit(request: Request) -> tuple[str | None, int]:
    """The cursor and the length of a page of the security audit. Raises Invalid."""
    limit = documents.number(request, "limit", documents.LARGEST_PAGE)
    return request.argument("before"), max(1, min(limit, documents.LARGEST_PAGE))


def render_audit(published: Iterable[Publication], further: str | None, replaced: Iterable[Replaced]) -> Response:
    """A page of the security audit; `next` is the `before` of the next one."""
    files = [{**asdict(one), "updated_at": wire.render_date(one.updated_at)} for one in replaced]
    rows = [{**asdict(one), "at": wire.render_date(one.at)} for one in published]
    return json_response({"published": rows, "replaced": files, "next": further})


def module_row(value: ModuleEntry) -> dict[str, Any]:
    """A module as JSON, with the username in its path."""
    return {**wire.render_module(value), "user": value.user, "archived": value.archived, "reason": value.archive_reason}


def render(request: Request, entry: Entry[ModuleEntry] | None) -> Response:
    """A module as its owners see it."""
    return json_response(documents.owners_document(request, existing(entry).value))


def existing(entry: Entry[ModuleEntry] | None) -> Entry[ModuleEntry]:
    """The entry; raises NotFound for None."""
    if entry is None:
        raise NotFound("There is no such module.")
    return entry


def _object(request: Request, *allowed: str) -> dict[str, Any]:
    given = request.json
    if not isinstance(given, dict) or not given:
        raise Invalid(f"The body must be a JSON object with some of {', '.join(allowed)}")
    if unknown := sorted(set(given) - set(allowed)):
        raise Invalid(f"{unknown[0]} cannot be changed; these fields can: {', '.join(allowed)}", field=unknown[0])
    return given


def _read(given: dict[str, Any]) -> dict[str, Any]:
    """The values, each checked and converted by its name: by the function in `_KINDS`, or as a string."""
    return {name: (_KINDS.get(name) or _text)(name, value) for name, value in given.items()}


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false", field=name)
    return value


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    longest = rockspecs.LONGEST.get(name, rockspecs.LONGEST_NAME)
    if not isinstance(value, str) or len(value) > longest:
        raise Invalid(f"{name} must be a string of at most {longest} characters", field=name)
    return value.strip() or None


def _labels(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Invalid(f"{name} must be a list of strings", field=name)
    return tuple(rockspecs.labels(value))


_KINDS: dict[str, Callable[[str, Any], Any]] = {
    "archived": _flag,
    "development": _flag,
    "immutable": _flag,
    "is_open": _flag,
    "labels": _labels,
}
