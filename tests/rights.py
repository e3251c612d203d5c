"""The rights that the stack's functions use in the tests, compared with those that their policies grant.

A call belongs to a function if the function's entry point is on the call stack: the API's, or for a job those of both
functions that run jobs. Calls of the test itself and of the command line belong to none. A right is an IAM action on a
resource, in the notation of the policies: `dynamodb:PutItem` on `CoreTable.Arn`.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.session import Session

from chalicelib.core import job_runner, registry
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.storage import table_name
from chalicelib.web.site import Site
from tests import aws_calls

CHALICE = Path(__file__).parent.parent / ".chalice"
_TESTS = str(Path(__file__).parent)
_OBSERVERS = {__file__, aws_calls.__file__}
API, CLOCK, QUEUE = FUNCTIONS = ("api_handler", "run_jobs", "wake_jobs")

TABLES = {
    table_name("core"): "CoreTable",
    table_name("luarocks"): "LuaRocksTable",
    table_name("contentdb"): "ContentDbTable",
    table_name("hel"): "HelTable",
    table_name("luadns"): "LuaDnsTable",
}
SES_IDENTITY = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/"
HOSTED_ZONE = "arn:${AWS::Partition}:route53:::hostedzone/"
HOSTED_ZONE_CHANGE = "arn:${AWS::Partition}:route53:::change/"


class Right(NamedTuple):
    """An action of a function on a resource; in a policy the resource can be a pattern."""

    function: str
    action: str
    resource: str


used: set[Right] = set()  # by this process so far
_recent: set[Right] = set()


def listen(session: Session) -> None:
    """Record the rights for missing objects and signed forms of a session's clients."""
    session.register("after-call.s3", _record_missing_object)
    session.register("before-sign.s3.PutObject", _record_form)


def record_call(call: aws_calls.AwsCall) -> None:
    """Record the rights of a call; signing a link is also a call."""
    if functions := _callers():
        name, translate = f"{call.service}:{call.operation}", _TRANSLATORS.get(call.service)
        _record(functions, translate(call.operation, call.parameters) if translate else [(name, "*")])


def drain() -> set[Right]:
    """Return and clear the rights that were used since the last call of this function."""
    found = set(_recent)
    _recent.difference_update(found)
    used.update(found)
    return found


def missing(rights: Iterable[Right]) -> list[Right]:
    """Return those of `rights` that no policy grants, sorted."""
    return sorted(right for right in rights if not any(_covers(grant, right) for grant in granted()))


def unneeded(rights: Iterable[Right]) -> list[Right]:
    """Return the granted rights that none of `rights` needs, sorted."""
    needed = {*rights, *platform_rights()}
    return sorted(grant for grant in granted() if not any(_covers(grant, right) for right in needed))


def platform_rights() -> Iterator[Right]:
    """Yield the rights that Lambda itself needs to write logs and receive messages (documented by AWS)."""
    for function in FUNCTIONS:
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Right(function, f"logs:{action}", "Log.Arn")
    for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage"):
        yield Right(QUEUE, f"sqs:{action}", "JobsQueue.Arn")


@cache
def granted() -> frozenset[Right]:
    """Return the rights that the policies grant."""
    return frozenset(
        Right(function, action, _as_text(resource))
        for function in FUNCTIONS
        for statement in json.loads(policy_file(function).read_text())["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    )


def policy_file(function: str) -> Path:
    """Return the path of a function's policy."""
    config = json.loads((CHALICE / "config.json").read_text())
    return CHALICE / config["lambda_functions"][function]["iam_policy_file"]


def _covers(grant: Right, right: Right) -> bool:
    return grant[:2] == right[:2] and fnmatchcase(right.resource, grant.resource)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_text(resource: Any) -> str:
    """Return `CoreTable.Arn` for a Fn::GetAtt, and for a Fn::Sub that contains it."""
    if isinstance(resource, str):
        return resource
    if attribute := resource.get("Fn::GetAtt"):
        return ".".join(attribute)
    text: str = resource["Fn::Sub"]
    return text.replace("${", "", 1).replace("}", "", 1) if ".Arn}" in text else text


def _record_missing_object(http_response: AWSResponse, **_: Any) -> None:
    """S3 returns 404 for a missing object only to callers that can list the bucket; others get 403."""
    if http_response.status_code == 404:
        _record(_callers(), [("s3:ListBucket", "Blobs.Arn")])


def _record_form(request: AWSRequest, signature_version: str, **_: Any) -> None:
    """A signed form lets a client put one object with the function's rights."""
    if signature_version.endswith("presign-post"):
        _record(_callers(), [("s3:PutObject", _object(request.context["s3-presign-post-fields"]["key"]))])


def _record(functions: Iterable[str], rights: Iterable[tuple[str, str]]) -> None:
    _recent.update(Right(function, *right) for right in rights for function in functions)


def _callers() -> tuple[str, ...]:
    """Return the functions on the call stack above the test's code: the API's, or otherwise the innermost."""
    functions: tuple[str, ...] = ()
    entry_points, frame = _entry_points(), sys._getframe()
    while (above := frame.f_back) is not None:
        frame = above
        if frame.f_code.co_filename.startswith(_TESTS) and frame.f_code.co_filename not in _OBSERVERS:
            break
        if (found := entry_points.get(frame.f_code)) == (API,):
            return found
        functions = functions or found or ()
    return functions


@cache
def _entry_points() -> dict[CodeType, tuple[str, ...]]:
    """Return the functions by their entry points. Either of the two job functions can run a job."""
    import app as moonbase  # here, because conftest.py sets the credentials first

    of_both = (
        job_runner.run_due,
        job_runner.run_now,
        Catalogue.fold,
        *(job.run for job in registry.current().jobs.values()),
    )
    return {
        **{work.__code__: (CLOCK, QUEUE) for work in of_both},
        moonbase.run_jobs.func.__code__: (CLOCK,),
        moonbase.wake_jobs.func.__code__: (QUEUE,),
        job_runner.enqueue_repeats.__code__: (CLOCK,),
        Site.__call__.__code__: (API,),
    }


def _dynamodb(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A transaction needs the rights of its actions on each item, and none of its own."""
    for transacted in params.get("TransactItems", ()):
        for kind, one in transacted.items():
            yield f"dynamodb:{kind}Item", _table(one["TableName"])
    for table in params.get("RequestItems", ()):
        yield f"dynamodb:{operation}", _table(table)
    if table := params.get("TableName"):
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield f"dynamodb:{operation}", _table(table) + index


def _s3(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "ListObjectsV2":
        yield "s3:ListBucket", "Blobs.Arn"
    elif key := params.get("Key"):  # a form's key is recorded with its signature
        yield f"s3:{operation.replace('Head', 'Get')}", _object(key)


def _sqs(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"sqs:{operation}", "JobsQueue.Arn"


def _kms(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"kms:{operation}", "SecretsKey.Arn"


def _lambda(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"lambda:{operation}Function", "Evaluator.Arn"


def _route53(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "GetChange":
        yield f"route53:{operation}", HOSTED_ZONE_CHANGE + params["Id"]
    elif zone := params.get("HostedZoneId") or params.get("Id"):
        yield f"route53:{operation}", HOSTED_ZONE + zone
    else:
        yield f"route53:{operation}", "*"


def _ses(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"ses:{operation}", SES_IDENTITY + params["Source"].rpartition("@")[2]


def _table(name: str) -> str:
    return f"{TABLES.get(name, name)}.Arn"


def _object(key: str) -> str:
    """Return the area of a key as a resource."""
    return f"Blobs.Arn/{key.partition('/')[0]}/..."


_TRANSLATORS = {
    "dynamodb": _dynamodb,
    "s3": _s3,
    "sqs": _sqs,
    "kms": _kms,
    "lambda": _lambda,
    "route53": _route53,
    "ses": _ses,
}
