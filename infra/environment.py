"""An installation on AWS, by the name of its stack."""

import os

from infra import account
from infra.stack import Stack


def enter(name: str) -> None:
    """Give this process the settings of the stack's functions.

    Call it before the first import of the models, because their tables get their names then. Raises
    FileNotFoundError if there is no such stack, and Refused if AWS does not answer.
    """
    entered = account.enter()
    function = Stack(entered, name).outputs().get("APIHandlerName")
    if function is None:
        raise FileNotFoundError(f"there is no stack {name} of Moonbase's in {entered.region}; `make deploy` makes one")
    found = entered.client("lambda").get_function_configuration(FunctionName=function)
    os.environ.update(found["Environment"]["Variables"])
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = entered.region
