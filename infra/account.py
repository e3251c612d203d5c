"""The AWS account and region that a command works on; determined before the command changes anything."""

import os
from dataclasses import dataclass, field
from typing import Any

from boto3 import Session
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra.stages import Refused


@dataclass(frozen=True)
class AwsAccount:
    """An account, one of its regions, and the caller's ARN."""

    id: str
    region: str
    caller: str
    _session: Session = field(repr=False)

    @property
    def partition(self) -> str:
        """The partition in ARNs: `aws`, or another one for China and for governments."""
        return self.caller.split(":")[1]

    def client(self, service: str) -> Any:
        """A boto3 client of a service in this region."""
        return self._session.client(service, region_name=self.region)


def current_account() -> AwsAccount:
    """Return the account of the environment's credentials. Raises Refused."""
    try:
        session = Session()
        region = os.environ.get("AWS_REGION") or session.region_name
        if not region:
            raise Refused("no region: set AWS_REGION, or `region` in ~/.aws/config")
        caller = session.client("sts", region_name=region).get_caller_identity()
    except NoCredentialsError:
        raise Refused(
            "no credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in to AWS"
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"AWS does not accept these credentials: {error}") from None
    return AwsAccount(caller["Account"], region, caller["Arn"], session)
