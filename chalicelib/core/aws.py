"""boto3 clients for S3, SQS, KMS, Lambda and Route 53, one per service and process. PynamoDB has its own (`storage`).

The first call imports boto3, which costs 50 ms of CPU with the S3 client; reads that need only DynamoDB avoid it.
"""

from functools import cache
from typing import Any

from botocore.config import Config

from chalicelib import settings

# The default signature of S3's links is rejected by buckets created since June 2020, and the default host redirects
# requests for other regions.
_S3 = Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})
# A request waits for the called function, and has 29 seconds itself.
_LAMBDA = Config(read_timeout=12, retries={"total_max_attempts": 2})
_CONFIGURATIONS = {"s3": _S3, "lambda": _LAMBDA}


@cache
def client(service: str) -> Any:
    """Return the client of a service, such as `s3`, in the configured region."""
    from boto3 import Session  # not the default session, which is not thread-safe for creating clients

    return Session().client(service, region_name=settings.current().region, config=_CONFIGURATIONS.get(service))
