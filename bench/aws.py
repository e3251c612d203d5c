"""An installation like one on AWS, in this process, with a meter for the cost of each operation.

Our engine stores the tables: it computes consumed units by DynamoDB's published rules and can store many packages.
moto emulates S3, SQS, KMS and Route 53. Requests are API Gateway events. The app's CPU time excludes the CPU time of
the AWS client libraries and of the emulators.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore
import moto
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from botocore.session import Session

from chalicelib import settings
from chalicelib.core import aws, transport
from chalicelib.core.directories import DirectoryStore
from chalicelib.core.transport import Transport
from standalone.runtime import TABLES
from standalone.storage import Engine, local_transport
from tests.client import Client, Reply

BUCKET = "moonbase"
LIMIT = 4_613_734  # bytes of a body, both ways, as the template has it
_READS = ("BatchGetItem", "GetItem", "Query", "Scan")
_WRITES = ("BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem")


@dataclass
class Spent:
    """The cost of an operation: AWS calls such as `dynamodb:Query`, units, bytes sent, and the app's CPU seconds."""

    calls: dict[str, int] = field(default_factory=dict)
    read_units: float = 0
    write_units: float = 0
    from_gateway: int = 0
    from_bucket: int = 0
    cpu: float = 0

    def count(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1


class CostMeter:
    """Measures the cost of one operation at a time."""

    def __init__(self) -> None:
        self._spent: Spent | None = None
        self._left = 0.0  # the CPU second at which the app called AWS

    def measure(self, operation: Callable[[], Any]) -> tuple[Any, Spent]:
        """Call `operation`; return its result and its cost."""
        spent = self._spent = Spent()
        began = time.process_time()
        try:
            result = operation()
        finally:
            spent.cpu += time.process_time() - began
            self._spent = None
        return result, spent

    def listen(self, session: Session) -> None:
        """Measure the calls of a session's clients."""
        session.register("provide-client-params", self._called)
        session.register("after-call", self._answered)

    def metered(self, inner: Transport) -> Transport:
        """Return `inner` with its calls measured."""

        def execute(operation: str, parameters: dict[str, Any], /) -> dict[str, Any]:
            self._called()
            cost = {"ReturnConsumedCapacity": "TOTAL"} if operation in (*_READS, *_WRITES) else {}
            response: dict[str, Any] = {}
            try:
                response = inner(operation, parameters | cost)
            except ClientError as error:
                response = error.response
                raise
            finally:
                self._add("dynamodb", operation, response)
            return response

        return execute

    def _called(self, **_: Any) -> None:
        self._left = time.process_time()

    def _answered(self, model: OperationModel, parsed: dict[str, Any], **_: Any) -> None:
        """Count an answered call. `_called` also sees links and forms that are only signed and never sent."""
        self._add(model.service_model.service_name, model.name, parsed)

    def _add(self, service: str, operation: str, response: dict[str, Any]) -> None:
        if (spent := self._spent) is None:
            return
        spent.count(f"{service}:{operation}")
        consumed = response.get("ConsumedCapacity", [])
        units = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        if response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            units = 1  # a failed write is billed by the item's size, which the response omits; our items are below 1 KB
        if operation in _READS:
            spent.read_units += units
        else:
            spent.write_units += units
        spent.cpu -= time.process_time() - self._left


meter = CostMeter()
botocore.register_initializer(meter.listen)


class Metered(Client):
    """A client with the cost of its last request in `spent`. It follows a link to the bucket, as real clients do."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = Spent()

    def answer(self, event: dict[str, Any]) -> Reply:
        reply, self.spent = meter.measure(lambda: super(Metered, self).answer(event))
        self.spent.from_gateway = len(reply.body)
        location = urlsplit(reply.header("location") or "")
        if (location.hostname or "").startswith(f"{BUCKET}.s3."):
            self.spent.count("s3:GetObject")
            head = aws.client("s3").head_object(Bucket=BUCKET, Key=location.path[1:])
            self.spent.from_bucket = int(head["ContentLength"])
        return reply


@contextmanager
def installed(data: Path) -> Iterator[None]:
    """Serve the content of a one-machine data directory as on AWS, until the block ends."""
    with (
        closing(Engine(data / TABLES)) as engine,
        transport.override(meter.metered(local_transport(engine))),
        moto.mock_aws(),
    ):
        store = aws.client("s3")
        store.create_bucket(Bucket=BUCKET)
        queue = aws.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
        key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
        blobs = DirectoryStore(data / "blobs")
        for stored in blobs.list_blobs(""):
            store.put_object(Bucket=BUCKET, Key=stored.key, Body=blobs.read(stored.key))
        with settings.override(
            blobs=f"s3://{BUCKET}",
            queue=queue,
            read_only_check=10**9,  # it is read every few seconds, so it would be counted with some requests only
            kms_key=key,
            key_file="/nowhere/key",
            luadns_engine="route53",
            max_body=LIMIT,
            max_answer=LIMIT,
        ):
            yield
