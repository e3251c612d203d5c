"""The syntax trees of DynamoDB's expressions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A document path with its names resolved: `a.#b[0]` is ("a", "real name of b", 0)."""

    parts: tuple[str | int, ...]

    def __str__(self) -> str:
        return "[" + ", ".join(f"[{part}]" if isinstance(part, int) else part for part in self.parts) + "]"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An expression attribute value, `:name`; its value comes with the request."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    arguments: "tuple[Operand, ...]"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: "Operand"
    right: "Operand"


Operand = Path | Placeholder | Function | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    options: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Junction:
    operator: str
    left: "Condition"
    right: "Condition"


Condition = Comparison | Between | In | Function | Not | Junction


@dataclass(frozen=True, slots=True)
class Action:
    """One clause of an update expression; only REMOVE has no operand."""

    verb: str
    path: Path
    operand: Operand | None
