"""JSON request bodies, read field by field. Missing fields and wrong types get the error texts of the real server."""

from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib.core.errors import Invalid
from chalicelib.luadns.problems import DESERIALIZATION, REQUIRED, Problem, invalid
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
    """The fields of an object. `problems` collects the errors of the fields that were read; null counts as absent."""

    def __init__(self, data: dict[str, Any], name: str) -> None:
        self._data = data
        self._name = name
        self.problems: list[Problem] = []

    def text(self, field: str) -> str | None:
        """A string; None if it is absent."""
        return self._read(field, str, "string")

    def required(self, field: str, *, empty: bool = False) -> str:
        """A string that is required, and not empty unless `empty` allows it."""
        before = len(self.problems)
        text = self.text(field)
        if text or (text == "" and empty) or len(self.problems) > before:
            return text or ""
        self.problems.append(Problem(field, "Required", REQUIRED))
        return ""

    def integer(self, field: str) -> int | None:
        """An integer; None if it is absent."""
        return self._read(field, int, "int")

    def boolean(self, field: str) -> bool | None:
        """A boolean; None if it is absent."""
        return self._read(field, bool, "bool")

    def array(self, field: str) -> list[Any] | None:
        """A list; None if it is absent."""
        return self._read(field, list, "[]models.Record")

    def raise_problems(self) -> None:
        """Raise Invalid with all problems, if there are any."""
        if self.problems:
            raise invalid(self.problems)

    def _read(self, field: str, kind: type[T], go_type: str) -> T | None:
        value = self._data.get(field)
        if value is None or type(value) is kind:
            return value
        self.problems.append(_mistyped(value, f"struct field {self._name}.{field} of type {go_type}", field))
        return None


def read_object(request: Request, name: str) -> Body:
    """Parse the body as one object. Raises Invalid."""
    data = _read_json(request)
    if not isinstance(data, dict):
        raise invalid([_mistyped(data, f"value of type {name}")])
    return Body(data, name)


def read_list(request: Request, name: str, read: Callable[[Body], Any]) -> list[Any]:
    """Parse the body as a list of objects, each with `read`. Raises Invalid with the problems of all of them."""
    data = _read_json(request)
    if not isinstance(data, list):
        raise invalid([_mistyped(data, f"value of type []{name}")])
    return read_items(request, data, name, read)


def read_items(request: Request, items: list[Any], name: str, read: Callable[[Body], Any]) -> list[Any]:
    """Parse the objects in a list of the body, each with `read`.

    Raises Invalid with the problems of all of them, or if there are more than the route takes.
    """
    if request.most_items is not None and len(items) > request.most_items:
        raise invalid([Problem(None, f"a request has at most {request.most_items} records")])
    found, problems = [], []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            problems.append(_mistyped(item, f"value of type {name}").within(index))
            continue
        body = Body(item, name)
        found.append(read(body))
        problems += [problem.within(index) for problem in body.problems]
    if problems:
        raise invalid(problems)
    return found


def _read_json(request: Request) -> Any:
    try:
        return request.json
    except Invalid as error:
        raise invalid([Problem(None, error.message, DESERIALIZATION)]) from None


def _mistyped(value: Any, target: str, field: str | None = None) -> Problem:
    kind = _GO_KINDS.get(type(value), "null")
    return Problem(field, f"json: cannot unmarshal {kind} into Go {target}", DESERIALIZATION)
