"""An installation as on AWS in this process, and what each deed costs there.

The tables are our engine's, which tells consumed units by DynamoDB's published rules and holds any number of packages;
S3, SQS, KMS and Route 53 are moto's. Requests come as API Gateway's events. What the clients of AWS' services use of
the CPU here, and what plays AWS, is not counted as the app's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore
import moto
from botocore.model import OperationModel
from botocore.session import Session

from chalicelib import settings
from chalicelib.core import aws
from chalicelib.core.directories import DirectoryStore
from standalone.runtime import TABLES
from standalone.storage import Engine, attach, detach
from tests.client import Client, Reply

BUCKET = "moonbase"
LIMIT = 4_613_734  # bytes of a body, both ways, as the template has it
_READS = ("BatchGetItem", "GetItem", "Query", "Scan")


@dataclass
class Spent:
    """What a deed cost: AWS calls such as `dynamodb:Query`, units, bytes that went out, and the app's CPU seconds."""

    calls: dict[str, int] = field(default_factory=dict)
    read_units: float = 0
    write_units: float = 0
    from_gateway: int = 0
    from_bucket: int = 0
    cpu: float = 0

    def count(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1


class Meter:
    """Adds up what a deed costs, while it measures one."""

    def __init__(self) -> None:
        self._spent: Spent | None = None
        self._left = 0.0  # the CPU second at which the app called AWS

    def measure(self, deed: Callable[[], Any]) -> tuple[Any, Spent]:
        """Do it; returns what it returns, and what it cost."""
        spent = self._spent = Spent()
        began = time.process_time()
        try:
            done = deed()
        finally:
            spent.cpu += time.process_time() - began
            self._spent = None
        return done, spent

    def listen(self, session: Session) -> None:
        session.register("provide-client-params", self._called)
        session.register("after-call", self._answered)

    def _called(self, model: OperationModel, params: dict[str, Any], **_: Any) -> dict[str, Any] | None:
        self._left = time.process_time()
        if model.input_shape and "ReturnConsumedCapacity" in model.input_shape.members:
            return {**params, "ReturnConsumedCapacity": "TOTAL"}
        return None

    def _answered(self, model: OperationModel, parsed: dict[str, Any], **_: Any) -> None:
        """Here and not where it was called, as signing a link or a form calls nobody."""
        if (spent := self._spent) is None:
            return
        spent.count(f"{model.service_model.service_name}:{model.name}")
        told = parsed.get("ConsumedCapacity", [])
        units = sum(each["CapacityUnits"] for each in (told if isinstance(told, list) else [told]))
        if parsed.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
            units = 1  # a write that is refused costs what the item weighs, of which nobody tells; ours are below 1 KB
        if model.name in _READS:
            spent.read_units += units
        else:
            spent.write_units += units
        spent.cpu -= time.process_time() - self._left


meter = Meter()
botocore.register_initializer(meter.listen)


class Metered(Client):
    """A client that knows what its last request cost. A link to the bucket is followed, as the client does."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = Spent()

    def answer(self, event: dict[str, Any]) -> Reply:
        reply, self.spent = meter.measure(lambda: super(Metered, self).answer(event))
        self.spent.from_gateway = len(reply.body)
        place = urlsplit(reply.header("location") or "")
        if (place.hostname or "").startswith(f"{BUCKET}.s3."):
            self.spent.count("s3:GetObject")
            head = aws.client("s3").head_object(Bucket=BUCKET, Key=place.path[1:])
            self.spent.from_bucket = int(head["ContentLength"])
        return reply


@contextmanager
def installed(data: Path) -> Iterator[None]:
    """What lies in a data directory of one machine, in force as on AWS until the block ends."""
    engine = Engine(data / TABLES)
    attach(engine)
    try:
        with moto.mock_aws():
            store = aws.client("s3")
            store.create_bucket(Bucket=BUCKET)
            queue = aws.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
            key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
            blobs = DirectoryStore(data / "blobs")
            for stored in blobs.listed(""):
                store.put_object(Bucket=BUCKET, Key=stored.key, Body=blobs.read(stored.key))
            with settings.override(
                blobs=f"s3://{BUCKET}",
                queue=queue,
                kms_key=key,
                key_file="/nowhere/key",
                luadns_engine="route53",
                max_body=LIMIT,
                max_answer=LIMIT,
            ):
                yield
    finally:
        detach()
        engine.close()
