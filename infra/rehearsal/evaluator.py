"""Untrusted Lua: it runs in a function that can do nothing but write its own log."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from infra.ministack import MiniStack
from infra.rehearsal.installation import Failure, Installation, multipart


def isolated(cloud: MiniStack, installation: Installation, key: str, function: str) -> None:
    """Check that uploads need the function, and that code in the function would have no secrets and no rights."""
    client = cloud.client("lambda")
    _expect(installation, key, 400, "Failed to parse rockspec")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    _expect(installation, key, 503, "Rockspecs cannot be evaluated right now")
    client.delete_function_concurrency(FunctionName=function)
    _expect(installation, key, 400, "Failed to parse rockspec")
    configuration = client.get_function_configuration(FunctionName=function)
    if variables := configuration.get("Environment", {}).get("Variables"):
        raise Failure(f"{function} has environment variables: {sorted(variables)}")
    _has_no_rights(cloud, configuration["Role"])


def _expect(installation: Installation, key: str, status: int, error: str) -> None:
    """Upload a file that is not Lua; raises Failure unless the response has this status and error."""
    body, kind = multipart({}, b"x =")
    body = body.replace(b'name="file"', b'name="rockspec_file"')
    got, _, content = installation.site.request("POST", f"/api/1/{key}/upload", body, kind)
    if got != status or error.encode() not in content:
        raise Failure(f"upload: {got} {content[:300]!r}, not {status} {error}")


def _has_no_rights(cloud: MiniStack, role: str) -> None:
    """Use the role as code in the function would; raises Failure if it can read or call anything."""
    given = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="rehearsal")["Credentials"]

    def client(service: str) -> Any:
        return cloud.client(service, given)

    attempts: dict[str, Callable[[], object]] = {
        "tables": lambda: client("dynamodb").list_tables(),
        "bucket": lambda: client("s3").list_buckets(),
        "keys": lambda: client("kms").list_keys(),
        "functions": lambda: client("lambda").list_functions(),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                raise
        else:
            raise Failure(f"the function that evaluates Lua has rights to {name}")
