"""`make remove`: deletes a stack. Resources with data remain and are listed, unless `--data` deletes them too."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from infra import stages
from infra.account import AwsAccount, current_account
from infra.stack import DATA_TYPES, Failed, Stack
from infra.stages import STAGE, Refused

_TABLES, _BUCKETS, _KEYS = DATA_TYPES
_KEY_DAYS = 30  # in which a key's deletion can be cancelled; KMS accepts 7 to 30
DataResources = Mapping[str, Sequence[str]]  # physical names by type


@click.command()
@click.option("--stage", default=STAGE, show_default=True)
@click.option("--stack", "name", default="", help="The stack's name, if not moonbase-STAGE.")
@click.option("--data", is_flag=True, help="Delete the tables, the bucket and the key as well.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def main(stage: str, name: str, data: bool, yes: bool) -> None:
    """Remove a stack."""
    try:
        stages.settings(stage)
        stack = Stack(current_account(), name or stages.stack_name(stage))
        remove(stack, data=data, asks=not yes)
    except (Refused, Failed, BotoCoreError, ClientError) as error:
        click.echo(f"remove: {error}", err=True)
        sys.exit(1)


def remove(stack: Stack, *, data: bool, asks: bool) -> None:
    """Delete the stack, if it exists; then, if `data`, the resources that remain. Raises Refused or Failed."""
    found = stack.described()
    if found and found["StackStatus"].endswith("_IN_PROGRESS"):
        stack.check()  # raises Refused
    resources = stack.data_resources()
    if not found and not any(resources.values()):
        raise Refused(f"there is no stack {stack.name} in {stack.account.region}, and no remains of one")
    if asks:
        _confirm(stack, resources, data=data)
    if found:
        stack.delete(found["StackId"])
        click.echo(f"{stack.name} is deleted")
    if data:
        delete_data(stack.account, resources)
    else:
        _report(resources)


def delete_data(account: AwsAccount, resources: DataResources) -> None:
    """Delete tables and bucket for good, and schedule the deletion of the key. Resources may be gone already."""
    tables, store, keys = account.client("dynamodb"), account.client("s3"), account.client("kms")
    existing = [table for table in resources[_TABLES] if _unprotect(tables, table)]
    for table in existing:
        tables.get_waiter("table_exists").wait(TableName=table)
        tables.delete_table(TableName=table)
        click.echo(f"deleted {table}")
    for bucket in resources[_BUCKETS]:
        try:
            _empty(store, bucket)
            store.delete_bucket(Bucket=bucket)
            click.echo(f"deleted {bucket}")
        except store.exceptions.NoSuchBucket:
            pass
    for key in resources[_KEYS]:
        try:
            keys.schedule_key_deletion(KeyId=key, PendingWindowInDays=_KEY_DAYS)
            click.echo(f"KMS deletes {key} in {_KEY_DAYS} days")
        except (keys.exceptions.NotFoundException, keys.exceptions.KMSInvalidStateException):
            pass


def _unprotect(tables: Any, table: str) -> bool:
    """Turn a table's deletion protection off; return whether the table exists."""
    try:
        if tables.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            tables.update_table(TableName=table, DeletionProtectionEnabled=False)
    except tables.exceptions.ResourceNotFoundException:
        return False
    return True


def _empty(store: Any, bucket: str) -> None:
    """Delete every version of every object."""
    for page in store.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in found]
        if objects:
            store.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def _confirm(stack: Stack, resources: DataResources, *, data: bool) -> None:
    """Ask for confirmation; to delete data, the user must type the stack's name. Raises Refused."""
    if data:
        listed = ", ".join(name for names in resources.values() for name in names) or "nothing"
        agreed = click.prompt(f"This deletes {listed}. Type the name of the stack to confirm") == stack.name
    else:
        agreed = click.confirm(f"Delete the stack {stack.name}?")
    if not agreed:
        raise Refused("nothing was deleted")


def _report(resources: DataResources) -> None:
    click.echo("these resources have data, and remain and cost money:")
    for names in resources.values():
        for name in names:
            click.echo(f"  {name}")
    if resources[_TABLES] and resources[_BUCKETS]:
        prefix = resources[_TABLES][0].rpartition("-")[0]
        key = "".join(f" MOONBASE_KMS_KEY={name}" for name in resources[_KEYS])
        click.echo("to export the data:")
        click.echo(
            f"  MOONBASE_TABLES={prefix} MOONBASE_BLOBS=s3://{resources[_BUCKETS][0]}{key} ./moonbase export FILE"
        )
    click.echo("`make remove DATA=yes` deletes them")


if __name__ == "__main__":
    main()
