"""What is wrong with a request's fields, as LuaDNS lists it in a 400."""

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.core.errors import Invalid

REQUIRED = "RequiredError"
VALIDATION = "ValidationError"
DESERIALIZATION = "DeserializationError"


class Problem(NamedTuple):
    """One thing that is wrong; `field` is None when it is about the whole body."""

    field: str | None
    message: str
    classification: str | None = None

    def within(self, index: int) -> "Problem":
        """The same problem of one member of a list."""
        return self._replace(field=f"{index}.{self.field}" if self.field else str(index))


def refusal(problems: Sequence[Problem]) -> Invalid:
    """All that is wrong, to be raised."""
    texts = [f"{problem.field}: {problem.message}" if problem.field else problem.message for problem in problems]
    return Invalid("; ".join(texts), problems=tuple(problems))


def refuse(field: str, message: str) -> Invalid:
    """One field that breaks a rule, to be raised; the real server classifies this kind no further."""
    return refusal([Problem(field, message)])
