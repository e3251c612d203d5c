"""The resources that all stacks of an account and region share: the artefact bucket, and the gateway's log role."""

import json
import time

from botocore.exceptions import ClientError

from infra.account import AwsAccount
from infra.stages import Refused

GATEWAY_ROLE = "moonbase-gateway-logs"
_GATEWAY_POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"
_TRIES, _PAUSE = 15, 2.0  # until a new role has propagated


def artefacts_bucket(account: AwsAccount) -> str:
    """The name of the bucket, whether it exists or not."""
    return f"moonbase-artefacts-{account.id}-{account.region}"


def make_artefacts_bucket(account: AwsAccount) -> str | None:
    """Create the bucket, private and encrypted; an existing one gets the same protection again.

    Returns a description of the new bucket, None if it existed. Raises Refused if another account owns that name.
    """
    store, name = account.client("s3"), artefacts_bucket(account)
    created = None
    if not has_artefacts_bucket(account):
        location = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
        store.create_bucket(Bucket=name, **({"CreateBucketConfiguration": location} if location else {}))
        created = f"the bucket {name}"
    of_ours = {"Bucket": name, "ExpectedBucketOwner": account.id}
    store.put_public_access_block(
        **of_ours,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )
    encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    store.put_bucket_encryption(**of_ours, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
    store.put_bucket_policy(**of_ours, Policy=json.dumps(_deny_without_tls(account, name)))
    return created


def has_artefacts_bucket(account: AwsAccount) -> bool:
    """Whether the bucket exists. Raises Refused if another account owns it: such names are easy to guess."""
    name = artefacts_bucket(account)
    try:
        account.client("s3").head_bucket(Bucket=name, ExpectedBucketOwner=account.id)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return False
        raise Refused(f"the bucket {name} belongs to another account, or denies this caller: {error}") from None
    return True


def let_gateway_log(account: AwsAccount) -> str | None:
    """Give API Gateway a role for writing logs, unless it has one; return a description of the new role, or None.

    The role is a setting of the account. If a stack created it, other stacks would lose it with that stack.
    """
    gateway = account.client("apigateway")
    if gateway.get_account().get("cloudwatchRoleArn"):
        return None
    role = _role(account)
    operation = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    for attempt in range(_TRIES):
        try:
            gateway.update_account(patchOperations=[operation])
            break
        except gateway.exceptions.BadRequestException:
            if attempt == _TRIES - 1:
                raise
            time.sleep(_PAUSE)
    return f"the role {GATEWAY_ROLE}, which lets API Gateway write logs"


def _role(account: AwsAccount) -> str:
    roles = account.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    try:
        arn: str = roles.create_role(
            RoleName=GATEWAY_ROLE,
            Description="Lets API Gateway write logs, for all APIs of this account",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]["Arn"]
    except roles.exceptions.EntityAlreadyExistsException:  # created for another region
        arn = roles.get_role(RoleName=GATEWAY_ROLE)["Role"]["Arn"]
    policy = f"arn:{account.partition}:iam::aws:policy/{_GATEWAY_POLICY}"
    roles.attach_role_policy(RoleName=GATEWAY_ROLE, PolicyArn=policy)
    return arn


def _deny_without_tls(account: AwsAccount, bucket: str) -> dict[str, object]:
    arn = f"arn:{account.partition}:s3:::{bucket}"
    statement = {
        "Sid": "NothingWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
