"""A CloudFormation stack: its change sets, and the progress of their execution."""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click
from botocore.exceptions import ClientError

from infra.account import AwsAccount
from infra.stages import Refused, our_template

# The types of resources with data. Nothing replaces or removes them unless the user requests it.
DATA_TYPES = _TABLE, _BUCKET, _KEY = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
# States in which a stack can only be removed, with the reason.
REMOVABLE_ONLY = {
    **dict.fromkeys(
        ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"),
        "its first deploy failed; `make remove DATA=yes` deletes the remains, which have never been used",
    ),
    "DELETE_FAILED": "its removal failed; `make remove` tries again",
}
_EMPTY = "REVIEW_IN_PROGRESS"  # it has a change set that was never executed, and nothing else
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_TIMEOUT_SECONDS = 3600.0
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


class Failed(Exception):
    """CloudFormation failed; the message contains its reasons."""


@dataclass(frozen=True)
class ResourceChange:
    """The planned change of one resource; `verb` is create, change, replace, perhaps replace, or delete."""

    verb: str
    kind: str
    name: str
    properties: tuple[str, ...] = ()

    @property
    def loses_data(self) -> bool:
        """Whether the app would no longer find the data of this resource."""
        return self.kind in DATA_TYPES and self.verb not in ("create", "change")

    def __str__(self) -> str:
        properties = f" ({', '.join(self.properties)})" if self.properties else ""
        return f"{self.verb:15} {self.kind:40} {self.name}{properties}"


class Stack:
    """A stack by its name, whether it exists or not."""

    def __init__(self, account: AwsAccount, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Refused(f"a stack's name has letters, digits and hyphens, and starts with a letter: not {name!r}")
        self.account = account
        self.name = name
        self._client = account.client("cloudformation")

    def described(self) -> dict[str, Any] | None:
        """CloudFormation's description; None if the stack does not exist or has no resources yet."""
        try:
            (found,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if found["StackStatus"] == _EMPTY else dict(found)

    def check(self) -> bool:
        """Whether the stack exists. Raises Refused for a state in which it cannot be updated."""
        found = self.described()
        status = found["StackStatus"] if found else ""
        if status in REMOVABLE_ONLY:
            raise Refused(f"the stack {self.name} is in {status}: {REMOVABLE_ONLY[status]}")
        if status == "UPDATE_ROLLBACK_FAILED":
            raise Refused(
                f"the stack {self.name} is in {status}: let CloudFormation's console continue the rollback first"
            )
        if status.endswith("_IN_PROGRESS"):
            raise Refused(f"the stack {self.name} is in {status}: wait until that operation has ended")
        return found is not None

    def outputs(self) -> dict[str, str]:
        """The stack's outputs; empty if it does not exist."""
        found = self.described() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def parameters(self) -> dict[str, str]:
        """The stack's current parameters; empty if it does not exist."""
        found = self.described() or {}
        return {given["ParameterKey"]: given["ParameterValue"] for given in found.get("Parameters", [])}

    def data_resources(self) -> dict[str, list[str]]:
        """The physical names of its tables, bucket and key by type, also after the stack was deleted.

        CloudFormation keeps a deleted stack for 90 days; the tables are found by the stack's name.
        """
        found: dict[str, list[str]] = {kind: [] for kind in DATA_TYPES}
        if known := (self.described() or {}).get("StackId") or self._deleted_id():
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=known)
            for resource in (resource for page in pages for resource in page["StackResourceSummaries"]):
                if resource["ResourceType"] in DATA_TYPES and resource.get("PhysicalResourceId"):
                    found[resource["ResourceType"]].append(resource["PhysicalResourceId"])
        found[_TABLE] = self.tables()
        return found

    def tables(self) -> list[str]:
        """The existing tables under its name, whether the stack itself exists or not."""
        client = self.account.client("dynamodb")
        found = []
        for resource in our_template()["Resources"].values():
            if resource.get("Type") == _TABLE:
                name = resource["Properties"]["TableName"]["Fn::Sub"].replace("${AWS::StackName}", self.name)
                try:
                    client.describe_table(TableName=name)
                    found.append(name)
                except client.exceptions.ResourceNotFoundException:
                    pass
        return found

    def _deleted_id(self) -> str | None:
        """The id of the last deleted stack of this name."""
        pages = self._client.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
        found = [summary for page in pages for summary in page["StackSummaries"] if summary["StackName"] == self.name]
        last = max(found, key=lambda summary: summary["CreationTime"], default=None)
        return str(last["StackId"]) if last else None

    def propose(self, template_url: str, parameters: Mapping[str, str | None], *, new: bool) -> "ChangeSet":
        """Create a change set; a parameter whose value is None keeps its current value. Raises Failed."""
        name = f"moonbase-{uuid.uuid4().hex}"
        self._client.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateURL=template_url,
            Parameters=[
                {"ParameterKey": key, **({"UsePreviousValue": True} if value is None else {"ParameterValue": value})}
                for key, value in parameters.items()
            ],
            Capabilities=_CAPABILITIES,
        )
        for pause in _pauses():
            described = self._client.describe_change_set(StackName=self.name, ChangeSetName=name)
            if "IN_PROGRESS" not in described["Status"] and "PENDING" not in described["Status"]:
                break
            time.sleep(pause)
        change_set = ChangeSet(self, name, tuple(self._changes(name)))
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            why = "; ".join(self._invalid(StackName=self.name, ChangeSetName=name)) or reason
            change_set.drop(new=new)
            if "contain changes" in reason or "No updates" in reason:
                return ChangeSet(self, name, ())
            raise Failed(f"CloudFormation refuses the template: {why}")
        return change_set

    def delete(self, stack_id: str) -> None:
        """Delete the stack and print the progress. Raises Failed."""
        began = self._seen()
        self._client.delete_stack(StackName=self.name)
        self.follow("DELETE_COMPLETE", began, stack_id)

    def follow(self, wanted: str, seen: set[str], stack_id: str | None = None) -> None:
        """Print the events until the operation ends. Raises Failed unless it ends in the status `wanted`."""
        name = stack_id or self.name
        reasons: list[str] = []
        for pause in _pauses():
            (found,) = self._client.describe_stacks(StackName=name)["Stacks"]
            for event in self._new_events(name, seen):
                status = event["ResourceStatus"]
                if not status.endswith("_IN_PROGRESS"):
                    click.echo(f"  {status:20} {event['ResourceType']:40} {event['LogicalResourceId']}")
                if status.endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", "cancelled"):
                    reasons.append(f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}")
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(pause)
        if found["StackStatus"] != wanted:
            if "DescribeEvents" in "".join(reasons):
                reasons = self._invalid(StackName=name) or reasons
            why = reasons or [found.get("StackStatusReason", "CloudFormation gives no reason")]
            raise Failed(f"the stack {self.name} ended in {found['StackStatus']}: {'; '.join(why)}")

    def _invalid(self, **of: str) -> list[str]:
        """The validation errors that CloudFormation found before it started; stack events do not contain them."""
        try:
            events = self._client.describe_events(**of, Filters={"FailedEvents": True})["OperationEvents"]
        except ClientError:
            return []
        return [
            f"{event.get('LogicalResourceId', 'the template')}: {event['ValidationStatusReason']}"
            for event in events
            if event.get("EventType") == "VALIDATION_ERROR"
        ]

    def _seen(self) -> set[str]:
        """The ids of the stack's events so far."""
        try:
            return {event["EventId"] for event in self._events(self.name)}
        except ClientError:
            return set()

    def _new_events(self, name: str, seen: set[str]) -> list[dict[str, Any]]:
        """Return the events that are not in `seen`, oldest first, and add them to it.

        CloudFormation returns the newest event first.
        """
        new = []
        for event in self._events(name):
            if event["EventId"] in seen:
                break
            new.append(event)
        seen.update(event["EventId"] for event in new)
        return new[::-1]

    def _events(self, name: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=name):
            yield from page["StackEvents"]

    def _changes(self, name: str) -> Iterator[ResourceChange]:
        pages = self._client.get_paginator("describe_change_set").paginate(StackName=self.name, ChangeSetName=name)
        for page in pages:
            for change in page.get("Changes", []):
                yield _change(change["ResourceChange"])


@dataclass(frozen=True)
class ChangeSet:
    """The planned changes of a stack."""

    stack: Stack
    name: str
    changes: tuple[ResourceChange, ...]

    def execute(self, *, new: bool) -> None:
        """Execute the changes and print the progress. Raises Failed."""
        seen = self.stack._seen()
        self.stack._client.execute_change_set(StackName=self.stack.name, ChangeSetName=self.name)
        self.stack.follow("CREATE_COMPLETE" if new else "UPDATE_COMPLETE", seen)

    def drop(self, *, new: bool) -> None:
        """Delete the change set and, if the stack is new, the empty stack that CloudFormation created for it."""
        self.stack._client.delete_change_set(StackName=self.stack.name, ChangeSetName=self.name)
        if new:
            self.stack._client.delete_stack(StackName=self.stack.name)


def _change(change: Mapping[str, Any]) -> ResourceChange:
    verbs = {"Add": "create", "Remove": "delete", "Import": "take over"}
    properties: tuple[str, ...] = ()
    if change["Action"] == "Modify":
        verb = {"True": "replace", "Conditional": "perhaps replace"}.get(change.get("Replacement", ""), "change")
        targets = (detail["Target"] for detail in change.get("Details", []))
        properties = tuple(sorted({target.get("Name") or target["Attribute"] for target in targets}))
    else:
        verb = verbs.get(change["Action"], change["Action"].lower())
    return ResourceChange(verb, change["ResourceType"], change["LogicalResourceId"], properties)


def _pauses() -> Iterator[float]:
    """Yield seconds to wait, growing. Raises Failed after an hour."""
    limit, pause = time.monotonic() + _TIMEOUT_SECONDS, 0.2
    while time.monotonic() < limit:
        yield pause
        pause = min(pause * 1.5, 5.0)
    raise Failed("CloudFormation has not finished within an hour; it continues on its own")
