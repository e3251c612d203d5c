"""Forms: read by the shapes of the JSON API, and shown again with an error next to its field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.account import fields, wire
from chalicelib.account.fields import Field, Shape
from chalicelib.core.errors import CoreError
from chalicelib.web.request import Request

_SECRET = ("password", "code")  # in the names of fields whose values are never sent back


@dataclass(frozen=True)
class Filled:
    """The submitted forms of a page: all empty, except the rejected one, which `action` names."""

    action: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    error: CoreError | None = None

    def of(self, action: str) -> "Filled":
        """One form of the page."""
        return self if self.action == action else Filled(action)

    def value(self, name: str, otherwise: str = "") -> str:
        """The value to show in a field."""
        return self.values.get(name, otherwise)

    def wrong(self, name: str) -> str:
        """The error of a field; empty without one."""
        return self.error.message if self.error and self.about == name else ""

    @property
    def about(self) -> str | None:
        """The field of the error, if it has one."""
        return self.error.detail.get("field") if self.error else None


BLANK = Filled()


def rejected(request: Request, action: str, error: CoreError) -> Filled:
    """A rejected form, without its secrets."""
    sent = request.form.fields
    values = {name: given[0] for name, given in sent.items() if not any(word in name for word in _SECRET)}
    return Filled(action, values, error)


def read(request: Request, shape: Shape) -> dict[str, Any]:
    """The form's fields with the types of the JSON API, see fields.read. Raises Invalid."""
    given = {name: _value(name, request.form.get(name), described) for name, described in shape.items()}
    return fields.read({name: value for name, value in given.items() if value is not None}, shape)


def read_id(request: Request) -> int:
    """The id in the form. Raises NotFound if it is not a number."""
    return wire.parse_id(request.form.get("id") or "")


def _value(name: str, text: str | None, described: Field) -> Any:
    """Treat an empty field as missing; strip blanks, except from a password."""
    if described.kind == "boolean":
        return {"yes": True, "no": False}.get(text or "")  # browsers do not send an unchecked box
    text = text if text is None or "password" in name else text.strip()
    if described.kind == "integer" and text and text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    return text or None
