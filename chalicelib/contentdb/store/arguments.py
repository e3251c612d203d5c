"""Query arguments by ContentDB's rules: malformed values are rejected."""

import re
from collections.abc import Collection
from datetime import date

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import versions
from chalicelib.contentdb.store.errors import malformed
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

LONGEST = 200
MOST = 100
_WITHOUT_VALUE = ("random", "lucky", "not_supported")  # arguments that can be blank
_LARGEST = 2**31 - 1
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Arguments:
    """The known arguments of a request, stripped. Equal queries have an equal `key`.

    A blank argument is a missing one, because forms send all their fields.
    """

    def __init__(self, request: Request, names: Collection[str]) -> None:
        if any(name.startswith("amp;") or name == "amp" for name in request.query):
            raise malformed("The query has &amp; instead of &.")  # a link copied from HTML source
        given = {name: [value.strip() for value in request.query.get(name, ())] for name in names}
        self._values = {
            name: values if name in _WITHOUT_VALUE else [value for value in values if value]
            for name, values in given.items()
            if (values if name in _WITHOUT_VALUE else any(values))
        }
        if sum(map(len, self._values.values())) > MOST:
            raise Invalid("There are too many arguments")
        for name, values in self._values.items():
            if any(len(value) > LONGEST for value in values):
                raise Invalid(f"{name} is too long")

    @property
    def key(self) -> tuple[tuple[str, ...], ...]:
        """The identity of the query, for caches."""
        return tuple((name, *values) for name, values in self._values.items())

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def all(self, name: str) -> list[str]:
        """All values of an argument."""
        return self._values.get(name, [])

    def text(self, name: str) -> str:
        """The first value of an argument; empty if it is missing."""
        return self._values.get(name, [""])[0]

    def number(self, name: str) -> int | None:
        """A whole number from 0 on; None if the argument is missing. Raises Invalid."""
        if name not in self._values:
            return None
        text = self.text(name)
        if not (text.isascii() and text.isdecimal() and int(text[:12]) <= _LARGEST):
            raise malformed(f"{name} must be a whole number.")
        return int(text)

    def required(self, name: str) -> int:
        """A required whole number. Raises Invalid."""
        number = self.number(name)
        if number is None:
            raise malformed(f"{name} is required.")
        return number

    def day(self, name: str) -> date | None:
        """A day such as `2026-03-05`; None if the argument is missing. Raises Invalid."""
        if name not in self._values:
            return None
        try:
            return date.fromisoformat(self.text(name) if _DAY.fullmatch(self.text(name)) else "")
        except ValueError:
            raise malformed(f"{name} must be a day such as 2026-03-05.") from None

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of the allowed words; None if the argument is missing. Raises Invalid."""
        if name not in self._values:
            return None
        if self.text(name) not in allowed:
            raise Invalid(f"Unknown {name}. Expected one of: {', '.join(dict.fromkeys(allowed))}")
        return self.text(name)

    def choices(self, name: str, allowed: Collection[str], refusal: str, *, exact: bool = False) -> list[str]:
        """All values of an argument, in lower case unless `exact`. Raises Invalid(refusal) for an unknown one."""
        given = self.all(name) if exact else [value.lower() for value in self.all(name)]
        if any(value not in allowed for value in given):
            raise Invalid(refusal)
        return given

    def yes(self, name: str) -> bool:
        """Whether an argument is `yes`, `true`, `1` or `on`."""
        return self.text(name).lower() in ("yes", "true", "1", "on")

    def version(self, snapshot: ContentDbSnapshot) -> int | None:
        """The id of the client's engine version; None for any. Raises Invalid."""
        return versions.resolve(snapshot, self.number("protocol_version"), self.text("engine_version") or None)
