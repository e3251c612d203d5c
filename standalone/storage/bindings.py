"""The expressions of one request, bound to the names and values that came with it."""

import re
from collections.abc import Collection
from typing import Any

from standalone.storage.conditions import check_condition
from standalone.storage.errors import invalid
from standalone.storage.parser import parse_condition, parse_projection, parse_update
from standalone.storage.syntax import Action, Condition, Path
from standalone.storage.updates import check_update
from standalone.storage.values import Item, canonical

PLACEHOLDER = re.compile(r"[#:]\w+", re.ASCII)


class Bindings:
    """Parses a request's expressions; `finish` then refuses names and values none of them used."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.names: dict[str, str] = params.get("ExpressionAttributeNames", {})
        self.values: Item = {}
        self.used: set[str] = set()
        self.check_placeholders("ExpressionAttributeNames", "#")
        self.check_placeholders("ExpressionAttributeValues", ":")
        for name, value in params.get("ExpressionAttributeValues", {}).items():
            self.values[name], _ = canonical(value)

    def check_placeholders(self, parameter: str, sign: str) -> None:
        given = self.params.get(parameter)
        if given is None:
            return
        if not given:
            raise invalid(f"{parameter} must not be empty")
        for name in given:
            if not (name.startswith(sign) and PLACEHOLDER.fullmatch(name)):
                raise invalid(f'{parameter} contains invalid key: Syntax error; key: "{name}"')
        if not any(parameter.endswith("Expression") for parameter in self.params):
            raise invalid(f"{parameter} can only be specified when using expressions")

    def condition(self, kind: str, *, without: Collection[str] = ()) -> Condition | None:
        """The condition of that parameter; `without` are the attributes it must not look at."""
        text = self.params.get(kind)
        if text is None:
            return None
        parsed = parse_condition(kind, text, tuple(self.names.items()))
        self.use(kind, parsed.placeholders)
        check_condition(kind, parsed.tree, self.values)
        if keys := sorted(parsed.attributes.intersection(without)):
            raise invalid(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {keys[0]}"
            )
        return parsed.tree

    def update(self) -> tuple[Action, ...]:
        text = self.params.get("UpdateExpression")
        if text is None:
            return ()
        parsed = parse_update(text, tuple(self.names.items()))
        self.use("UpdateExpression", parsed.placeholders)
        check_update(parsed.tree, self.values)
        return parsed.tree

    def projection(self) -> tuple[Path, ...] | None:
        text = self.params.get("ProjectionExpression")
        if text is None:
            return None
        parsed = parse_projection(text, tuple(self.names.items()))
        self.use("ProjectionExpression", parsed.placeholders)
        return parsed.tree

    def use(self, kind: str, placeholders: frozenset[str]) -> None:
        self.used |= placeholders
        for name in sorted(placeholders):
            if name.startswith(":") and name not in self.values:
                raise invalid(
                    f"Invalid {kind}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {name}"
                )

    def finish(self) -> None:
        for parameter, given in (
            ("ExpressionAttributeNames", self.names),
            ("ExpressionAttributeValues", self.values),
        ):
            if unused := [name for name in given if name not in self.used]:
                raise invalid(f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}")
