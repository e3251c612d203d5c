"""Clients of AWS services other than DynamoDB: one each per process, through botocore (boto3 costs imports)."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import get_session

from chalicelib import settings

# Of itself botocore signs links the old way, which buckets made since June 2020 refuse, and for a host that sends
# those of other regions elsewhere.
_S3 = Config(signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"})


@cache
def client(service: str) -> Any:
    """The botocore client of a service, such as `s3`."""
    config = _S3 if service == "s3" else None
    return get_session().create_client(service, region_name=settings.current().region, config=config)
