"""Types of JSON fields: each validates a value and describes itself as JSON Schema."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.core.errors import Invalid


@dataclass(frozen=True)
class Field:
    """A field: `kind` is its JSON type, `of` the shape of an object or of an array's items."""

    kind: str
    about: str
    required: bool = True
    nullable: bool = False
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()  # a function if slices define them
    between: tuple[int, int] | None = None
    of: "Shape | None" = None

    @property
    def allowed(self) -> tuple[str, ...]:
        """The current choices."""
        return self.choices() if callable(self.choices) else self.choices

    @property
    def schema(self) -> dict[str, Any]:
        """The field as JSON Schema."""
        schema: dict[str, Any] = {"type": [self.kind, "null"] if self.nullable else self.kind}
        if self.about:
            schema["description"] = self.about
        if self.choices:
            schema["enum"] = [*self.allowed]
        if self.between:
            schema["minimum"], schema["maximum"] = self.between
        if self.kind == "array":
            schema["items"] = schema_of(self.of) if self.of else {"type": "string"}
        elif self.of:
            schema.update(schema_of(self.of))
        return schema


Shape = Mapping[str, Field]


def schema_of(shape: Shape) -> dict[str, Any]:
    """A shape as JSON Schema, without additional properties."""
    return {
        "type": "object",
        "properties": {name: field.schema for name, field in shape.items()},
        "required": [name for name, field in shape.items() if field.required],
        "additionalProperties": False,
    }


def read(data: Any, shape: Shape) -> dict[str, Any]:
    """The fields of a JSON object; an optional field that is missing or null is None. Raises Invalid.

    An unknown field is rejected: a mistyped `scope` must not create a key with full access.
    """
    if not isinstance(data, dict):
        raise Invalid("The body must be a JSON object.")
    for name in data:
        if name not in shape:
            raise Invalid(f"There is no field {name[:100]!r} here; there are: {', '.join(shape)}.")
    return {name: _value(name, data.get(name), field) for name, field in shape.items()}


def _value(name: str, value: Any, field: Field) -> Any:
    if value is None:
        if field.required:
            raise Invalid(f"{name} is missing.", field=name)
        return None
    if type(value) is not _TYPES[field.kind]:
        raise Invalid(f"{name} must be a JSON {field.kind}.", field=name)
    if isinstance(value, list) and not all(type(item) is str for item in value):
        raise Invalid(f"{name} must be a list of strings.", field=name)
    if field.choices and value not in field.allowed:
        raise Invalid(f"{name} must be one of: {', '.join(field.allowed)}.", field=name)
    if field.between and isinstance(value, int):
        least, most = field.between
        if not least <= value <= most:
            raise Invalid(f"{name} must be from {least} to {most}.", field=name)
    return value


_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "array": list}


def text(about: str = "", **more: Any) -> Field:
    """A string."""
    return Field("string", about, **more)


def flag(about: str = "", **more: Any) -> Field:
    """A boolean."""
    return Field("boolean", about, **more)


def number(about: str = "", **more: Any) -> Field:
    """An integer."""
    return Field("integer", about, **more)


def many(shape: Shape | None, about: str = "") -> Field:
    """An array of objects of a shape, or of strings."""
    return Field("array", about, of=shape)


MOMENT = text("A moment in UTC, RFC 3339.")
MOMENT_OR_NULL = replace(MOMENT, nullable=True)
