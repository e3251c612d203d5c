"""The rights that the functions of the stack use at AWS, as the tests see them, beside those that their policies grant.

A call belongs to a function when that function's code is on the stack below it: requests to the API, jobs to both that
do them. What a test prepares, and what the command line does, belongs to none. A right is an action of IAM on a
resource, written as the policies write theirs: `dynamodb:PutItem` on `CoreTable.Arn`.
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

from chalicelib.core import jobs, registry
from chalicelib.core.catalogue import Catalogue
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
HOSTED_ZONE = "arn:${AWS::Partition}:route53:::hostedzone/"
HOSTED_ZONE_CHANGE = "arn:${AWS::Partition}:route53:::change/"


class Right(NamedTuple):
    """What a function does or, where the resource is a pattern, may do."""

    function: str
    action: str
    resource: str


used: set[Right] = set()  # since this process began
_recent: set[Right] = set()


def listen(session: Session) -> None:
    """Take note of the objects that a session's clients do not find, and of the forms that they sign."""
    session.register("after-call.s3", _answered)
    session.register("before-sign.s3.PutObject", _signed)


def called(call: aws_calls.AwsCall) -> None:
    """Take note of a call; a link that is signed is one, too."""
    if functions := _who():
        name, translate = f"{call.service}:{call.operation}", _TOLD.get(call.service)
        _note(functions, translate(call.operation, call.parameters) if translate else [(name, "*")])


def latest() -> set[Right]:
    """What was used since this was asked the last time."""
    found = set(_recent)
    _recent.difference_update(found)
    used.update(found)
    return found


def refused(rights: Iterable[Right]) -> list[Right]:
    """Those that no policy grants."""
    return sorted(right for right in rights if not any(_covers(grant, right) for grant in granted()))


def idle(rights: Iterable[Right]) -> list[Right]:
    """What is granted and none of `rights` needs."""
    needed = {*rights, *by_the_platform()}
    return sorted(grant for grant in granted() if not any(_covers(grant, right) for right in needed))


def by_the_platform() -> Iterator[Right]:
    """What Lambda does in a function's name: it writes the log, and takes messages from the queue (AWS' documents)."""
    for function in FUNCTIONS:
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Right(function, f"logs:{action}", "Log.Arn")
    for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage"):
        yield Right(QUEUE, f"sqs:{action}", "JobsQueue.Arn")


@cache
def granted() -> frozenset[Right]:
    """What the policies say."""
    return frozenset(
        Right(function, action, _as_text(resource))
        for function in FUNCTIONS
        for statement in json.loads(policy_file(function).read_text())["Statement"]
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    )


def policy_file(function: str) -> Path:
    """Where a function's policy stands."""
    config = json.loads((CHALICE / "config.json").read_text())
    return CHALICE / config["lambda_functions"][function]["iam_policy_file"]


def _covers(grant: Right, right: Right) -> bool:
    return grant[:2] == right[:2] and fnmatchcase(right.resource, grant.resource)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_text(resource: Any) -> str:
    """`CoreTable.Arn` for Fn::GetAtt, and the same in a Fn::Sub."""
    if isinstance(resource, str):
        return resource
    if attribute := resource.get("Fn::GetAtt"):
        return ".".join(attribute)
    text: str = resource["Fn::Sub"]
    return text.replace("${", "", 1).replace("}", "", 1) if ".Arn}" in text else text


def _answered(http_response: AWSResponse, **_: Any) -> None:
    """S3 says that there is no such object only to those who may list the bucket; others are refused (403)."""
    if http_response.status_code == 404:
        _note(_who(), [("s3:ListBucket", "Blobs.Arn")])


def _signed(request: AWSRequest, signature_version: str, **_: Any) -> None:
    """A form, with which somebody else may send one object in this function's name."""
    if signature_version.endswith("presign-post"):
        _note(_who(), [("s3:PutObject", _object(request.context["s3-presign-post-fields"]["key"]))])


def _note(functions: Iterable[str], rights: Iterable[tuple[str, str]]) -> None:
    _recent.update(Right(function, *right) for right in rights for function in functions)


def _who() -> tuple[str, ...]:
    """The functions whose code called, before a test's own code is met: the API's, or else the innermost."""
    functions: tuple[str, ...] = ()
    entrances, frame = _entrances(), sys._getframe()
    while (above := frame.f_back) is not None:
        frame = above
        if frame.f_code.co_filename.startswith(_TESTS) and frame.f_code.co_filename not in _OBSERVERS:
            break
        if (found := entrances.get(frame.f_code)) == (API,):
            return found
        functions = functions or found or ()
    return functions


@cache
def _entrances() -> dict[CodeType, tuple[str, ...]]:
    """Where the functions' code begins. A job is done by whichever of the two finds it."""
    import app as moonbase  # here, as the fixtures choose AWS' credentials first

    of_both = (jobs.run_due, jobs.run_now, Catalogue.fold, *(job.run for job in registry.current().jobs.values()))
    return {
        **{work.__code__: (CLOCK, QUEUE) for work in of_both},
        moonbase.run_jobs.func.__code__: (CLOCK,),
        moonbase.wake_jobs.func.__code__: (QUEUE,),
        jobs.enqueue_repeats.__code__: (CLOCK,),
        Site.__call__.__code__: (API,),
    }


def _dynamodb(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A transaction takes the rights to what it does with each item, and none of its own."""
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
    elif key := params.get("Key"):  # that of a form comes with its signature
        yield f"s3:{operation.replace('Head', 'Get')}", _object(key)


def _sqs(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"sqs:{operation}", "JobsQueue.Arn"


def _kms(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield f"kms:{operation}", "SecretsKey.Arn"


def _route53(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "GetChange":
        yield f"route53:{operation}", HOSTED_ZONE_CHANGE + params["Id"]
    elif zone := params.get("HostedZoneId") or params.get("Id"):
        yield f"route53:{operation}", HOSTED_ZONE + zone
    else:
        yield f"route53:{operation}", "*"


def _table(name: str) -> str:
    return f"{TABLES.get(name, name)}.Arn"


def _object(key: str) -> str:
    """The area is enough: keys are many."""
    return f"Blobs.Arn/{key.partition('/')[0]}/..."


_TOLD = {"dynamodb": _dynamodb, "s3": _s3, "sqs": _sqs, "kms": _kms, "route53": _route53}
