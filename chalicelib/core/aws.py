"""Clients of AWS services other than DynamoDB: one each per process, through botocore (boto3 costs imports)."""

from functools import cache
from typing import Any

from botocore.session import get_session

from chalicelib import settings


@cache
def client(service: str) -> Any:
    """The botocore client of a service, such as `s3`."""
    return get_session().create_client(service, region_name=settings.current().region)
