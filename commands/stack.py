"""`moonbase --stack NAME`: an installation on AWS, by the name of its stack."""

import os
from collections.abc import Sequence

from commands import checkout

VARIABLE = "MOONBASE_STACK"


def named(arguments: Sequence[str]) -> str:
    """The stack that the arguments or the environment name; "" for none."""
    for place, argument in enumerate(arguments):
        if argument == "--stack":
            return next(iter(arguments[place + 1 :]), "")
        if argument.startswith("--stack="):
            return argument.removeprefix("--stack=")
    return os.environ.get(VARIABLE, "")


def enter(name: str) -> None:
    """Let this process have the settings that the stack's functions have.

    Tables are named when the models are first imported: so this comes before. Raises FileNotFoundError for a stack
    that is not there, and ValueError when AWS cannot be asked or this is no checkout.
    """
    if not checkout.PRESENT:
        raise ValueError("--stack needs a checkout of Moonbase, as deploying does: run ./moonbase there")
    from infra.account import enter as enter_account
    from infra.stack import Stack
    from infra.stages import Refused

    try:
        account = enter_account()
        function = Stack(account, name).outputs().get("APIHandlerName")
    except Refused as refused:
        raise ValueError(refused) from None
    if function is None:
        raise FileNotFoundError(f"there is no stack {name} of Moonbase's in {account.region}; `make deploy` makes one")
    found = account.client("lambda").get_function_configuration(FunctionName=function)
    os.environ.update(found["Environment"]["Variables"])
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = account.region
