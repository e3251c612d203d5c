"""The errors of a request's fields, as LuaDNS lists them in a 400."""

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.core.errors import Invalid

REQUIRED = "RequiredError"
VALIDATION = "ValidationError"
DESERIALIZATION = "DeserializationError"


class Problem(NamedTuple):
    """An error of one field; `field` is None if it is about the whole body."""

    field: str | None
    message: str
    classification: str | None = None

    def within(self, index: int) -> "Problem":
        """Return the same problem of the list item at `index`."""
        return self._replace(field=f"{index}.{self.field}" if self.field else str(index))


def invalid(problems: Sequence[Problem]) -> Invalid:
    """Return an Invalid error with all problems, to be raised."""
    texts = [f"{problem.field}: {problem.message}" if problem.field else problem.message for problem in problems]
    return Invalid("; ".join(texts), problems=tuple(problems))


def invalid_field(field: str, message: str) -> Invalid:
    """Return an Invalid error for one field; it has no classification, as on the real server."""
    return invalid([Problem(field, message)])
