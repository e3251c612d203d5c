"""JSON bodies, field by field: what is missing or of a wrong type is told as the real server's Go does."""

from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib.core.errors import Invalid
from chalicelib.luadns.problems import DESERIALIZATION, REQUIRED, Problem, refusal
from chalicelib.web.request import Request

T = TypeVar("T")
_GO_KINDS: dict[type, str] = {
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Body:
    """An object's fields; `problems` gathers what is wrong with those that were asked for. A null is no value."""

    def __init__(self, data: dict[str, Any], name: str) -> None:
        self._data = data
        self._name = name
        self.problems: list[Problem] = []

    def text(self, field: str) -> str | None:
        """A text, if there is one."""
        return self._read(field, str, "string")

    def required(self, field: str, *, empty: bool = False) -> str:
        """A text that must be there, and must not be empty unless it may."""
        before = len(self.problems)
        text = self.text(field)
        if text or (text == "" and empty) or len(self.problems) > before:
            return text or ""
        self.problems.append(Problem(field, "Required", REQUIRED))
        return ""

    def whole(self, field: str) -> int | None:
        """A whole number, if there is one."""
        return self._read(field, int, "int")

    def members(self, field: str) -> list[Any] | None:
        """A list, if there is one."""
        return self._read(field, list, "[]models.Record")

    def finish(self) -> None:
        """Raises Invalid with all that was wrong."""
        if self.problems:
            raise refusal(self.problems)

    def _read(self, field: str, kind: type[T], called: str) -> T | None:
        value = self._data.get(field)
        if value is None or type(value) is kind:
            return value
        self.problems.append(_mistyped(value, f"struct field {self._name}.{field} of type {called}", field))
        return None


def read_object(request: Request, name: str) -> Body:
    """The body as one object. Raises Invalid."""
    data = _read_json(request)
    if not isinstance(data, dict):
        raise refusal([_mistyped(data, f"value of type {name}")])
    return Body(data, name)


def read_list(request: Request, name: str, read: Callable[[Body], Any]) -> list[Any]:
    """The body as a list of objects, each read by `read`. Raises Invalid, for all of them at once."""
    data = _read_json(request)
    if not isinstance(data, list):
        raise refusal([_mistyped(data, f"value of type []{name}")])
    return read_members(data, name, read)


def read_members(members: list[Any], name: str, read: Callable[[Body], Any]) -> list[Any]:
    """The objects in a list, each read by `read`. Raises Invalid, for all of them at once."""
    found, problems = [], []
    for index, member in enumerate(members):
        if not isinstance(member, dict):
            problems.append(_mistyped(member, f"value of type {name}").within(index))
            continue
        body = Body(member, name)
        found.append(read(body))
        problems += [problem.within(index) for problem in body.problems]
    if problems:
        raise refusal(problems)
    return found


def _read_json(request: Request) -> Any:
    try:
        return request.json
    except Invalid as error:
        raise refusal([Problem(None, error.message, DESERIALIZATION)]) from None


def _mistyped(value: Any, target: str, field: str | None = None) -> Problem:
    kind = _GO_KINDS.get(type(value), "null")
    return Problem(field, f"json: cannot unmarshal {kind} into Go {target}", DESERIALIZATION)
