"""AWS' prices, and the cost of an operation. Prices are in dollars, for us-east-1, without any free tier."""

from dataclasses import dataclass

from bench.aws import Spent

DATE = "December 2025"
MILLION = 1_000_000
GB = 10**9
MONTH = 30 * 24 * 60  # minutes

MESSAGE = "SQS request; a message is sent, received and deleted"

PRICES = {
    "DynamoDB read request unit, on demand": (0.125, "million"),
    "DynamoDB write request unit, on demand": (0.625, "million"),
    "DynamoDB storage, with point-in-time recovery": (0.25 + 0.20, "GB and month"),
    "Lambda request": (0.20, "million"),
    "Lambda duration, x86": (16.6667, "million GB-seconds"),
    "API Gateway request, REST": (3.50, "million"),
    "bytes to the internet": (0.09, "GB"),
    "S3 request that writes or lists": (5.00, "million"),
    "S3 request that reads": (0.40, "million"),
    "S3 storage": (0.023, "GB and month"),
    MESSAGE: (0.40, "million"),
    "KMS request": (3.00, "million"),
    "KMS key": (1.00, "month"),
    "CloudWatch log, ingested": (0.50, "GB"),
    "CloudWatch alarm": (0.10, "month"),
    "CloudWatch metric": (0.30, "month"),
    "Route 53 hosted zone, the first 25": (0.50, "month"),
    "Route 53 hosted zone, more": (0.10, "month"),
}

MEMORY = 1024  # MB of the functions; see .chalice/config.json
WHOLE_CORE = 1769  # MB at which Lambda gives one virtual CPU; below, a share
LOG_BYTES = 800  # that Lambda and the app write per call of a function
# The duration of AWS calls in milliseconds; the function waits meanwhile and is paid for. Assumed: the log of a real
# installation has better numbers.
WAITS = {"dynamodb": 5, "dynamodb:TransactWriteItems": 12, "s3": 25, "sqs": 10, "kms": 10, "route53": 100}


@dataclass(frozen=True)
class Bill:
    """Dollars per million operations."""

    dynamodb: float
    functions: float  # Lambda, and its log
    others: float  # S3, SQS, KMS
    transfer: float
    gateway: float

    @property
    def own(self) -> float:
        """All but API Gateway's share."""
        return self.dynamodb + self.functions + self.others + self.transfer

    @property
    def total(self) -> float:
        return self.own + self.gateway


def bill(spent: Spent, call_cpu: float, *, by_gateway: bool = True) -> Bill:
    """Return the cost of a million such operations, if an AWS call takes `call_cpu` seconds of CPU."""
    cost = {name: dollars for name, (dollars, _) in PRICES.items()}
    reads, writes = spent.read_units, spent.write_units
    out = spent.from_bucket + (spent.from_gateway if by_gateway else 0)
    seconds = milliseconds(spent, call_cpu) / 1000
    return Bill(
        dynamodb=reads * cost["DynamoDB read request unit, on demand"]
        + writes * cost["DynamoDB write request unit, on demand"],
        functions=cost["Lambda request"]
        + seconds * MEMORY / 1024 * cost["Lambda duration, x86"]
        + MILLION * LOG_BYTES / GB * cost["CloudWatch log, ingested"],
        others=sum(number * _dollars(call) for call, number in spent.calls.items()),
        transfer=MILLION * out / GB * cost["bytes to the internet"],
        gateway=cost["API Gateway request, REST"] if by_gateway else 0.0,
    )


def milliseconds(spent: Spent, call_cpu: float) -> float:
    """The billed duration of the function: its CPU time at its share of a core, and the AWS calls that it waits for."""
    calls = dict(spent.calls)
    if spent.from_bucket:  # the client makes that call, when it follows the link
        calls["s3:GetObject"] -= 1
    cpu = 1000 * (max(spent.cpu, 0) + sum(calls.values()) * call_cpu)
    waits = sum(number * WAITS.get(call, WAITS[call.partition(":")[0]]) for call, number in calls.items())
    return cpu * WHOLE_CORE / min(MEMORY, WHOLE_CORE) + waits


_PRICE = {
    "s3:GetObject": "S3 request that reads",
    "s3:HeadObject": "S3 request that reads",
    "s3:PutObject": "S3 request that writes or lists",
    "s3:ListObjectsV2": "S3 request that writes or lists",
    "sqs:SendMessage": MESSAGE,
    "kms:Decrypt": "KMS request",
    "kms:Encrypt": "KMS request",
}  # deleting an object, and changing a hosted zone, cost nothing


def _dollars(call: str) -> float:
    return PRICES[_PRICE[call]][0] * (3 if call == "sqs:SendMessage" else 1) if call in _PRICE else 0.0
