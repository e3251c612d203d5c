"""Reads condition, update and projection expressions by recursive descent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations
from typing import Generic, TypeVar

from standalone.storage.syntax import (
    Action,
    Arithmetic,
    Between,
    Comparison,
    Condition,
    Function,
    In,
    Junction,
    Not,
    Operand,
    Path,
    Placeholder,
)
from standalone.storage.tokens import IDENTIFIER, UPDATE_WORDS, Names, Reader

Tree = TypeVar("Tree")

COMPARATORS = {"=", "<>", "<", "<=", ">", ">="}
CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
WANT_A_PATH = {"attribute_exists", "attribute_not_exists", "if_not_exists"}


@dataclass(frozen=True, slots=True)
class Parsed(Generic[Tree]):
    """An expression's tree, every `#name` and `:value` its text mentions, and every top-level attribute."""

    tree: Tree
    placeholders: frozenset[str]
    attributes: frozenset[str]


class Parser(Reader):
    """The grammar of conditions, updates and projections."""

    def __init__(self, kind: str, text: str, names: Names) -> None:
        super().__init__(kind, text, names)
        self.functions = UPDATE_FUNCTIONS if kind == "UpdateExpression" else CONDITION_FUNCTIONS
        # Where the last group in parentheses began and ended.
        self.group = (-1, -1)

    def parsed(self, read: Callable[[], Tree]) -> Parsed[Tree]:
        tree = read()
        self.expect("")
        placeholders = frozenset(token for token in self.tokens if token[:1] in ("#", ":"))
        return Parsed(tree, placeholders, frozenset(self.attributes))

    def operand(self) -> Operand:
        if self.token.startswith(":") and len(self.token) > 1:
            return Placeholder(self.take())
        if self.tokens[self.position + 1 : self.position + 2] == ["("] and IDENTIFIER.fullmatch(self.token):
            return self.function()
        return self.path()

    def function(self) -> Function:
        name = self.take()
        if name not in self.functions:
            raise self.error(f"Invalid function name; function: {name}")
        self.expect("(")
        arguments = self.several(self.operand)
        self.expect(")")
        self.check_arguments(name, arguments)
        return Function(name, arguments)

    def check_arguments(self, name: str, arguments: tuple[Operand, ...]) -> None:
        if len(arguments) != self.functions[name]:
            raise self.error(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        if name in WANT_A_PATH and not isinstance(arguments[0], Path):
            raise self.error(f"Operator or function requires a document path; operator or function: {name}")
        if self.functions is CONDITION_FUNCTIONS:
            self.check_operands(name, *arguments)

    def check_operands(self, operator: str, *operands: Operand) -> None:
        for operand in operands:
            if isinstance(operand, Function) and operand.name != "size":
                raise self.error(
                    f"The function is not allowed to be used this way in an expression; function: {operand.name}"
                )
        if isinstance(operands[0], Path) and operands[0] in operands[1:]:
            raise self.error(
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {operator}, first operand: {operands[0]}"
            )

    def condition(self) -> Condition:
        left = self.conjunction()
        return Junction("OR", left, self.condition()) if self.accept("OR") else left

    def conjunction(self) -> Condition:
        left = self.negation()
        return Junction("AND", left, self.conjunction()) if self.accept("AND") else left

    def negation(self) -> Condition:
        return Not(self.primary()) if self.accept("NOT") else self.primary()

    def primary(self) -> Condition:
        start = self.position
        if not self.accept("("):
            return self.simple_condition()
        condition = self.condition()
        if self.group == (start + 1, self.position - 1):
            raise self.error("The expression has redundant parentheses;")
        self.group = (start, self.position)
        self.expect(")")
        return condition

    def simple_condition(self) -> Condition:
        operand = self.operand()
        if self.token in COMPARATORS:
            operator, right = self.take(), self.operand()
            self.check_operands(operator, operand, right)
            return Comparison(operator, operand, right)
        if self.accept("BETWEEN"):
            low = self.operand()
            self.expect_word("AND")
            high = self.operand()
            self.check_operands("BETWEEN", operand, low, high)
            return Between(operand, low, high)
        if self.accept("IN"):
            self.expect("(")
            options = self.several(self.operand)
            self.expect(")")
            self.check_operands("IN", operand, *options)
            return In(operand, options)
        if not isinstance(operand, Function):
            raise self.syntax_error()
        if operand.name == "size":
            raise self.error("The function is not allowed to be used this way in an expression; function: size")
        return operand

    def update(self) -> tuple[Action, ...]:
        actions: list[Action] = []
        seen: set[str] = set()
        while self.token:
            if self.word not in UPDATE_WORDS:
                raise self.syntax_error()
            verb = self.take().upper()
            if verb in seen:
                raise self.error(f'The "{verb}" section can only be used once in an update expression;')
            seen.add(verb)
            actions += self.several(partial(self.action, verb))
        self.check_overlap(tuple(action.path for action in actions))
        return tuple(actions)

    def action(self, verb: str) -> Action:
        path = self.path()
        if verb == "REMOVE":
            return Action(verb, path, None)
        if verb == "SET":
            self.expect("=")
            return Action(verb, path, self.sum())
        operand = self.operand()
        if not isinstance(operand, Placeholder):
            raise self.syntax_error()
        return Action(verb, path, operand)

    def sum(self) -> Operand:
        left = self.term()
        if self.token in ("+", "-"):
            return Arithmetic(self.take(), left, self.term())
        return left

    def term(self) -> Operand:
        if not self.accept("("):
            return self.operand()
        inner = self.sum()
        self.expect(")")
        return inner

    def projection(self) -> tuple[Path, ...]:
        paths = self.several(self.path)
        self.check_overlap(paths)
        return paths

    def check_overlap(self, paths: tuple[Path, ...]) -> None:
        for one, two in combinations(paths, 2):
            shared = min(len(one.parts), len(two.parts))
            ends = f"must remove or rewrite one of these paths; path one: {one}, path two: {two}"
            if one.parts[:shared] == two.parts[:shared]:
                raise self.error(f"Two document paths overlap with each other; {ends}")
            for mine, other in zip(one.parts, two.parts, strict=False):
                if type(mine) is not type(other):
                    raise self.error(f"Two document paths conflict with each other; {ends}")
                if mine != other:
                    break


@lru_cache(4096)
def parse_condition(kind: str, text: str, names: Names) -> Parsed[Condition]:
    parser = Parser(kind, text, names)
    return parser.parsed(parser.condition)


@lru_cache(4096)
def parse_update(text: str, names: Names) -> Parsed[tuple[Action, ...]]:
    parser = Parser("UpdateExpression", text, names)
    return parser.parsed(parser.update)


@lru_cache(4096)
def parse_projection(text: str, names: Names) -> Parsed[tuple[Path, ...]]:
    parser = Parser("ProjectionExpression", text, names)
    return parser.parsed(parser.projection)
