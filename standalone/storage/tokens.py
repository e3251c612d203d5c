"""Reads an expression's tokens, and the document paths made of them."""

import re
from collections.abc import Callable
from typing import TypeVar

from standalone.storage.errors import DynamoError, invalid
from standalone.storage.syntax import Path

Part = TypeVar("Part")
Names = tuple[tuple[str, str], ...]

TOKEN = re.compile(r"\s*([#:]?\w+|<>|<=|>=|[=<>(),.\[\]+-]|\S|$)", re.ASCII)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
UPDATE_WORDS = ("SET", "REMOVE", "ADD", "DELETE")
CONDITION_WORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")


class Reader:
    """A place in one expression; `kind` is the request parameter it came in."""

    def __init__(self, kind: str, text: str, names: Names) -> None:
        self.kind = kind
        self.names = dict(names)
        self.words = UPDATE_WORDS if kind == "UpdateExpression" else CONDITION_WORDS
        self.tokens: list[str] = TOKEN.findall(text.rstrip())
        self.position = 0
        self.attributes: set[str] = set()
        if not text.strip():
            raise self.error("The expression can not be empty;")

    def error(self, message: str) -> DynamoError:
        return invalid(f"Invalid {self.kind}: {message}")

    def syntax_error(self) -> DynamoError:
        near = " ".join(self.tokens[max(self.position - 1, 0) : self.position + 2]).strip()
        return self.error(f'Syntax error; token: "{self.token or "<EOF>"}", near: "{near}"')

    @property
    def token(self) -> str:
        return self.tokens[self.position]

    @property
    def word(self) -> str:
        return self.token.upper()

    def take(self) -> str:
        token = self.token
        self.position += 1
        return token

    def accept(self, *words: str) -> bool:
        if self.word not in words:
            return False
        self.position += 1
        return True

    def expect(self, token: str) -> None:
        if self.take() != token:
            self.position -= 1
            raise self.syntax_error()

    def expect_word(self, word: str) -> None:
        if not self.accept(word):
            raise self.syntax_error()

    def several(self, read: Callable[[], Part]) -> tuple[Part, ...]:
        members = [read()]
        while self.accept(","):
            members.append(read())
        return tuple(members)

    def name(self) -> str:
        token = self.token
        if token.startswith("#") and len(token) > 1:
            if token not in self.names:
                raise self.error(
                    f"An expression attribute name used in the document path is not defined; attribute name: {token}"
                )
            token = self.names[token]
        elif not IDENTIFIER.fullmatch(token) or self.word in self.words:
            raise self.syntax_error()
        self.position += 1
        return token

    def path(self) -> Path:
        head = self.name()
        self.attributes.add(head)
        parts: list[str | int] = [head]
        while self.token in (".", "["):
            if self.take() == ".":
                parts.append(self.name())
                continue
            if not self.token.isdigit():
                raise self.syntax_error()
            parts.append(int(self.take()))
            self.expect("]")
        return Path(tuple(parts))
