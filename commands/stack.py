"""`moonbase --stack NAME`: selects an installation on AWS by the name of its stack."""

import os
from collections.abc import Sequence

from commands import checkout

VARIABLE = "MOONBASE_STACK"


def named(arguments: Sequence[str]) -> str:
    """The stack's name in the arguments or the environment; "" if there is none."""
    for position, argument in enumerate(arguments):
        if argument == "--stack":
            return next(iter(arguments[position + 1 :]), "")
        if argument.startswith("--stack="):
            return argument.removeprefix("--stack=")
    return os.environ.get(VARIABLE, "")


def enter(name: str) -> None:
    """Give this process the settings of a stack.

    Raises FileNotFoundError for an unknown stack, and ValueError if AWS refuses or cannot be reached, or outside a
    checkout.
    """
    if not checkout.PRESENT:
        raise ValueError("--stack needs a checkout of Moonbase, as deploying does: run ./moonbase there")
    from infra import environment
    from infra.stages import Refused

    try:
        environment.use_stack(name)
    except Refused as refused:
        raise ValueError(refused) from None
