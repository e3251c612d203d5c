"""A recursive descent parser for condition, key condition, filter, update and projection expressions."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import combinations
from typing import Any

from standalone.storage.documents import Path
from standalone.storage.errors import DynamoError, invalid
from standalone.storage.evaluation import ORDERED, Call, Node, UpdateClause, at_most
from standalone.storage.values import FORMS, Item, Value, canonical, type_of

MAX_SIZE = 4096  # bytes
MAX_OPTIONS = 100  # of IN
TOKEN = re.compile(r"\s*([#:]?\w+|<>|<=|>=|\S|$)", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PLACEHOLDER = re.compile(r"[#:]\w+", re.ASCII)
UPDATE_WORDS = ("SET", "REMOVE", "ADD", "DELETE")
CONDITION_WORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
PATH_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "attribute_type", "if_not_exists")
# The types of literals that an operator or function accepts; those not listed accept any.
OPERAND_TYPES = dict.fromkeys(("<", "<=", ">", ">=", "BETWEEN"), ORDERED) | {
    "begins_with": ("S", "B"),
    "attribute_type": ("S",),
    "size": ("S", "B", "SS", "NS", "BS", "L", "M"),
    "list_append": ("L",),
    "+": ("N",),
    "-": ("N",),
    "ADD": ("N", "SS", "NS", "BS"),
    "DELETE": ("SS", "NS", "BS"),
}


class Expressions:
    """The expressions of one request with its names and values. Call `read` for each expression, then `finish`."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.names: dict[str, str] = self.given("ExpressionAttributeNames", "#")
        values = self.given("ExpressionAttributeValues", ":")
        self.values: Item = {name: canonical(value)[0] for name, value in values.items()}
        self.unused = {*self.names, *self.values}

    def given(self, parameter: str, sign: str) -> dict[str, Any]:
        bound: dict[str, Any] = self.params.get(parameter, {})
        if parameter in self.params and not bound:
            raise invalid(f"{parameter} must not be empty")
        if bound and not any(name.endswith("Expression") for name in self.params):
            raise invalid(f"{parameter} can only be specified when using expressions")
        for name in bound:
            if not (name.startswith(sign) and PLACEHOLDER.fullmatch(name)):
                raise invalid(f'{parameter} contains invalid key: Syntax error; key: "{name}"')
        return bound

    def read(self, parameter: str) -> Any:
        """Return a condition, the actions of an update or the paths of a projection; None without the parameter."""
        text = self.params.get(parameter)
        if text is None:
            return None
        if ":" in text:
            return Parser(parameter, self).read()
        tree, used = _without_values(parameter, text, tuple(self.names.items()))
        self.unused -= used
        return tree

    def finish(self) -> None:
        """Raise for names and values that no expression uses."""
        for parameter, sign in (("ExpressionAttributeNames", "#"), ("ExpressionAttributeValues", ":")):
            if unused := sorted(name for name in self.unused if name.startswith(sign)):
                raise invalid(f"Value provided in {parameter} unused in expressions: keys: {{{', '.join(unused)}}}")


@lru_cache(512)
def _without_values(parameter: str, text: str, names: tuple[tuple[str, str], ...]) -> tuple[Any, frozenset[str]]:
    """An expression without values, parsed, and the names that it uses. Most writes have one of a few conditions."""
    request = Expressions({parameter: text, **({"ExpressionAttributeNames": dict(names)} if names else {})})
    tree = Parser(parameter, request).read()
    return tree, frozenset(request.names) - request.unused


class Parser:
    """A position in one expression, and the rules of the grammar."""

    def __init__(self, kind: str, request: Expressions) -> None:
        self.kind = kind
        self.request = request
        updates = kind == "UpdateExpression"
        self.functions = UPDATE_FUNCTIONS if updates else CONDITION_FUNCTIONS
        self.words = UPDATE_WORDS if updates else CONDITION_WORDS
        self.tokens: list[str] = TOKEN.findall(request.params[kind].rstrip())
        self.position = 0
        self.group = (-1, -1)  # start and end of the last group in parentheses

    def read(self) -> Any:
        if not self.token:
            raise self.error("The expression can not be empty;")
        if len(self.request.params[self.kind].encode()) > MAX_SIZE:
            raise self.error("Expression size has exceeded the maximum allowed size;")
        readers = {"UpdateExpression": self.update, "ProjectionExpression": self.projection}
        tree = readers.get(self.kind, self.condition)()
        self.expect("")
        return tree

    def error(self, message: str) -> DynamoError:
        return invalid(f"Invalid {self.kind}: {message}")

    def syntax_error(self) -> DynamoError:
        return self.error(f'Syntax error; token: "{self.token or "<EOF>"}"')

    @property
    def token(self) -> str:
        return self.tokens[self.position]

    def advance(self) -> str:
        self.position += 1
        return self.tokens[self.position - 1]

    def accept(self, *words: str) -> bool:
        found = self.token.upper() in words
        self.position += found
        return found

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise self.syntax_error()

    def comma_separated(self, read: Callable[[], Any]) -> tuple[Any, ...]:
        members = [read()]
        while self.accept(","):
            members.append(read())
        return tuple(members)

    def bound(self, kind: str, names: dict[str, Any]) -> Any:
        """The name or value of the current placeholder."""
        if self.token not in names:
            raise self.error(f"An expression attribute {kind} used in expression is not defined: {self.token}")
        self.request.unused.discard(self.token)
        return names[self.advance()]

    def name(self) -> str:
        if PLACEHOLDER.fullmatch(self.token) and self.token.startswith("#"):
            return str(self.bound("name", self.request.names))
        if not IDENTIFIER.fullmatch(self.token) or self.token.upper() in self.words:
            raise self.syntax_error()
        return self.advance()

    def path(self) -> Path:
        parts: list[str | int] = [self.name()]
        while self.token in (".", "["):
            if self.advance() == ".":
                parts.append(self.name())
                continue
            if not self.token.isdigit():
                raise self.syntax_error()
            parts.append(int(self.advance()))
            self.expect("]")
        return Path(tuple(parts))

    def operand(self) -> Node:
        if PLACEHOLDER.fullmatch(self.token) and self.token.startswith(":"):
            value: Value = self.bound("value", self.request.values)
            return value
        if self.tokens[self.position + 1 : self.position + 2] == ["("] and IDENTIFIER.fullmatch(self.token):
            return self.function()
        return self.path()

    def function(self) -> Call:
        name = self.advance()
        if name not in self.functions:
            raise self.error(f"Invalid function name; function: {name}")
        self.expect("(")
        arguments = self.comma_separated(self.operand)
        self.expect(")")
        if len(arguments) != self.functions[name]:
            raise self.error(f"Incorrect number of operands for operator or function: {name}, {len(arguments)}")
        if name in PATH_FUNCTIONS and not isinstance(arguments[0], Path):
            raise self.error(f"Operator or function requires a document path: {name}")
        if name == "attribute_type" and arguments[1] not in [{"S": kind} for kind in FORMS]:
            raise self.error("Incorrect operand type for operator or function, or invalid attribute type name found")
        return self.call(name, *arguments)

    def call(self, name: str, *arguments: Node) -> Call:
        """Return the call; raise for operands that are invalid with any item."""
        for argument in arguments:
            if isinstance(argument, dict) and type_of(argument) not in OPERAND_TYPES.get(name, FORMS):
                raise self.error(
                    "Incorrect operand type for operator or function; "
                    f"operator or function: {name}, operand type: {type_of(argument)}"
                )
            if isinstance(argument, Call) and self.words is CONDITION_WORDS and argument.name != "size":
                raise self.error(f"The function is not allowed to be used this way: {argument.name}")
        bounds = [bound for bound in arguments[1:] if isinstance(bound, dict)]
        if name == "BETWEEN" and len(bounds) == 2 and not at_most(bounds[0], bounds[1]):
            raise self.error("The BETWEEN operator requires an upper bound not below the lower, of the same type")
        if self.words is CONDITION_WORDS and isinstance(arguments[0], Path) and arguments[0] in arguments[1:]:
            raise self.error(f"The first operand must be distinct from the remaining operands for {name}")
        return Call(name, arguments)

    def condition(self) -> Node:
        left = self.conjunction()
        return Call("OR", (left, self.condition())) if self.accept("OR") else left

    def conjunction(self) -> Node:
        left = self.negation()
        return Call("AND", (left, self.conjunction())) if self.accept("AND") else left

    def negation(self) -> Node:
        return Call("NOT", (self.negation(),)) if self.accept("NOT") else self.primary()

    def primary(self) -> Node:
        start = self.position
        if not self.accept("("):
            return self.comparison()
        condition = self.condition()
        if self.group == (start + 1, self.position - 1):
            raise self.error("The expression has redundant parentheses;")
        self.group = (start, self.position)
        self.expect(")")
        return condition

    def comparison(self) -> Node:
        operand = self.operand()
        if self.token in COMPARATORS:
            return self.call(self.advance(), operand, self.operand())
        if self.accept("BETWEEN"):
            low = self.operand()
            self.expect("AND")
            return self.call("BETWEEN", operand, low, self.operand())
        if self.accept("IN"):
            self.expect("(")
            options = self.comma_separated(self.operand)
            self.expect(")")
            if len(options) > MAX_OPTIONS:
                raise self.error(f"The IN operator takes at most {MAX_OPTIONS} operands, not {len(options)}")
            return self.call("IN", operand, *options)
        if not isinstance(operand, Call) or operand.name == "size":
            raise self.syntax_error()
        return operand

    def update(self) -> tuple[UpdateClause, ...]:
        actions: list[UpdateClause] = []
        while self.token:
            verb = self.token.upper()
            if not self.accept(*UPDATE_WORDS):
                raise self.syntax_error()
            if any(action.verb == verb for action in actions):
                raise self.error(f'The "{verb}" section can only be used once in an update expression;')
            actions += self.comma_separated(partial(self.action, verb))
        self.check_overlap([action.path for action in actions])
        return tuple(actions)

    def action(self, verb: str) -> UpdateClause:
        path, operand = self.path(), None
        if verb == "SET":
            self.expect("=")
            operand = self.sum()
        elif verb != "REMOVE":
            if not self.token.startswith(":"):
                raise self.syntax_error()
            operand = self.operand()
            self.call(verb, path, operand)
        return UpdateClause(verb, path, operand)

    def sum(self) -> Node:
        left = self.term()
        return self.call(self.advance(), left, self.term()) if self.token in ("+", "-") else left

    def term(self) -> Node:
        if not self.accept("("):
            return self.operand()
        inner = self.sum()
        self.expect(")")
        return inner

    def projection(self) -> tuple[Path, ...]:
        paths = self.comma_separated(self.path)
        self.check_overlap(paths)
        return paths

    def check_overlap(self, paths: Any) -> None:
        for one, two in combinations(paths, 2):
            differing = [pair for pair in zip(one.parts, two.parts, strict=False) if pair[0] != pair[1]]
            if not differing or type(differing[0][0]) is not type(differing[0][1]):
                raise self.error(f"Two document paths overlap or conflict; path one: {one}, path two: {two}")
