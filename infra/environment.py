"""The environment of an installation on AWS, selected by the name of its stack."""

import os

from infra.account import current_account
from infra.stack import Stack


def use_stack(name: str) -> None:
    """Give this process the settings of the stack's functions.

    Call it before the first import of the models, because their tables get their names then. Raises
    FileNotFoundError for an unknown stack, and Refused if AWS refuses or cannot be reached.
    """
    account = current_account()
    function = Stack(account, name).outputs().get("APIHandlerName")
    if function is None:
        raise FileNotFoundError(f"there is no Moonbase stack {name} in {account.region}; `make deploy` creates one")
    found = account.client("lambda").get_function_configuration(FunctionName=function)
    os.environ.update(found["Environment"]["Variables"])
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = account.region
