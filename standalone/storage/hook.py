"""Lets botocore's DynamoDB clients, and so PynamoDB, be answered by an engine in this process."""

from typing import Any
from uuid import uuid4

import botocore
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.model import OperationModel
from botocore.session import Session

from standalone.storage.engine import Engine
from standalone.storage.errors import DynamoError
from standalone.storage.values import from_json

attached: Engine | None = None


def attach(engine: Engine) -> None:
    """From now on this engine answers, whichever client asks."""
    global attached
    attached = engine


def detach() -> None:
    """From now on clients go where they would have gone, those of the time before included."""
    global attached
    attached = None


def answer(model: OperationModel, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
    if attached is None:
        return None
    status, headers = 200, {"x-amzn-requestid": uuid4().hex.upper()}
    try:
        result = attached.execute(model.name, from_json(params["body"]))
    except DynamoError as error:
        status = 500 if error.code == "InternalServerError" else 400
        result = {"Error": {"Code": error.code, "Message": error.message}, **error.extra}
    result["ResponseMetadata"] = {
        "RequestId": headers["x-amzn-requestid"],
        "HTTPStatusCode": status,
        "HTTPHeaders": headers,
        "RetryAttempts": 0,
    }
    return AWSResponse("", status, headers, None), result


def _listen(session: Session) -> None:
    session.register("before-call.dynamodb", answer)
    # botocore makes up a header that describes the machine anew for each call, which is a fifth of what a read costs.
    session.set_default_client_config(Config(user_agent="Moonbase"))


botocore.register_initializer(_listen)
