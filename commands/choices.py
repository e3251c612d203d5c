"""Options whose choices the slices of this server define."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from chalicelib.core import registry
from chalicelib.core.registry import Registry


def installed() -> Registry:
    """Return the registry of this server's slices. The import of the app takes 0.2 s, so call this only if needed."""
    from app import SLICES

    return registry.install(SLICES)


class Choice(click.ParamType[str]):
    """Like click.Choice, in any letter case; the choices are read when a command or its help needs them."""

    name = "choice"

    def __init__(self, listed: Callable[[Registry], Sequence[str]]) -> None:
        self._listed = listed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = self._listed(installed())
        matching = [each for each in found if each.lower() == str(value).lower()]
        if not matching:
            self.fail(f"{value!r} is not one of {', '.join(map(repr, found))}.", param, ctx)
        return matching[0]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        choices = "|".join(self._listed(installed()))
        return f"[{choices}]" if param.param_type_name == "option" else f"{{{choices}}}"


RANK = Choice(lambda slices: slices.ranks)
SERVICE = Choice(lambda slices: list(slices.scopes))
