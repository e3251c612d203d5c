"""boto3 clients of S3, SQS, KMS and Route 53, one per service and process. DynamoDB's client is PynamoDB's (`storage`).

The first call imports boto3, which takes 50 ms of CPU with its S3 client; a read that needs only DynamoDB does not pay.
"""

from functools import cache
from typing import Any

from botocore.config import Config

from chalicelib import settings

# By default S3's links are signed in a way that buckets made since June 2020 refuse, and name a host that redirects
# requests for other regions.
_S3 = Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})


@cache
def client(service: str) -> Any:
    """The client of a service, such as `s3`, in the region of the settings."""
    from boto3 import Session  # not the default session, which threads must not share while they make clients

    return Session().client(service, region_name=settings.current().region, config=_S3 if service == "s3" else None)
