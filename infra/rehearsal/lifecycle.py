"""The lifecycle of a stack: the first deploy, a second version, a rollback, and the removal."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from botocore.exceptions import ClientError

from infra import ministack
from infra.bootstrap import GATEWAY_ROLE
from infra.ministack import MiniStack
from infra.package import CODE, SAM
from infra.rehearsal.installation import Failure, Installation, run
from infra.stages import ROOT

# The second version reports another version number, and Hel's package entries have one more field.
_CHANGES = {
    "chalicelib/settings.py": ('luarocks_tool_version: str = "1.0.0"', 'luarocks_tool_version: str = "1.0.1"'),
    "chalicelib/hel/entry.py": ("\n\n\nclass UserEntry", '\n    homepage: str = ""\n\n\nclass UserEntry'),
    "chalicelib/hel/index.py": ("PackageEntry, shape=", "PackageEntry, shape=1000 + "),
}


class Lifecycle:
    """A stack that is deployed, changed and removed by the commands that `make` runs."""

    def __init__(self, cloud: MiniStack, name: str, scratch: Path) -> None:
        self.cloud, self.name, self._scratch = cloud, name, scratch

    def deploy(self, *arguments: str) -> str:
        """Run `make deploy`; return its output."""
        return self._run("infra.deploy", *arguments)

    def deploy_package(self, package: Path, *parameters: str) -> str:
        """Deploy a package, adapted to MiniStack; return the output."""
        adapted = self._scratch / f"{package.name}-adapted"
        adapted.mkdir()
        shutil.copy(package / CODE, adapted)
        (adapted / SAM).write_text(json.dumps(ministack.adapted(json.loads((package / SAM).read_text()))))
        given = [argument for parameter in parameters for argument in ("--set", parameter)]
        return self.deploy("--package", str(adapted), *given)

    def remove(self, *arguments: str) -> str:
        """Run `make remove`; return its output."""
        return self._run("infra.remove", "--yes", *arguments)

    def export_remains(self, output: str) -> None:
        """Run the export command that `make remove` printed."""
        (line,) = (line for line in output.splitlines() if "./moonbase export" in line)
        named = dict(word.split("=", 1) for word in line.split() if "=" in word)
        command = [sys.executable, str(ROOT / "moonbase"), "--json", "export", str(self._scratch / "left.tar")]
        done = json.loads(run(command, self._scratch, {**self.cloud.environment(), **named}))
        if done["secrets"] != 2 or done["blobs"] < 1:  # the second factor, and the key of the log
            raise Failure(f"the export contains {done}")

    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self, kind: str) -> list[str]:
        """The physical names of the stack's resources of a kind."""
        pages = self.cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]

    def _run(self, module: str, *arguments: str) -> str:
        environment = {**self.cloud.environment(), "PYTHONPATH": str(ROOT)}
        return run([sys.executable, "-m", module, "--stack", self.name, *arguments], self._scratch, environment)


def second_version(package: Path, directory: Path) -> Path:
    """Copy the package to `directory` with changed code, like a next version; return `directory`."""
    directory.mkdir()
    shutil.copy(package / SAM, directory)
    with ZipFile(package / CODE) as old, ZipFile(directory / CODE, "w", ZIP_DEFLATED, compresslevel=1) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if change := _CHANGES.get(entry.filename):
                before, after = (text.encode() for text in change)
                assert content.count(before) == 1, entry.filename
                content = content.replace(before, after)
            new.writestr(entry, content)
    return directory


def serves(installation: Installation, version: str) -> None:
    """Raise Failure unless the server reports this version."""
    installation.site.expect(200, "GET", "/api/tool_version", {"version": version})


def end(stack: Lifecycle) -> None:
    """Remove the stack. Its tables refuse deletion; afterwards only the resources with data remain."""
    tables = stack.resources("AWS::DynamoDB::Table")
    buckets, keys = stack.resources("AWS::S3::Bucket"), stack.resources("AWS::KMS::Key")
    for table in tables:
        _is_protected(stack.cloud, table)
    began = time.time()
    output = stack.remove()
    if missing := [name for name in (*tables, *buckets, *keys) if name not in output]:
        raise Failure(f"`make remove` does not list {missing}")
    stack.export_remains(output)
    left = {name: sorted(found) for name, found in _everything(stack.cloud, began).items() if found}
    artefacts = [bucket for bucket in left["buckets"] if bucket.startswith("moonbase-artefacts-")]
    wanted = {
        "tables": sorted(tables),
        "buckets": sorted([*buckets, *artefacts]),
        "keys": sorted(keys),
        "roles": [GATEWAY_ROLE],
    }
    if left != wanted or len(artefacts) != 1:
        raise Failure(f"the remains are {left}, not {wanted}")


def _is_protected(cloud: MiniStack, table: str) -> None:
    try:
        cloud.client("dynamodb").delete_table(TableName=table)
    except ClientError as error:
        if "deletion" in str(error):
            return
        raise
    raise Failure(f"{table} was deleted")


def _everything(cloud: MiniStack, began: float) -> dict[str, list[Any]]:
    """The resources in the account, by kind, for all kinds that a stack creates; without logs that are younger.

    The emulator creates a deleted log again when a function ends. On AWS no function has the right to do that.
    """
    listed = {
        "tables": ("dynamodb", "list_tables", "TableNames", None),
        "buckets": ("s3", "list_buckets", "Buckets", "Name"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "sources": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        "queues": ("sqs", "list_queues", "QueueUrls", None),
        "apis": ("apigateway", "get_rest_apis", "items", "id"),
        "hosts": ("apigateway", "get_domain_names", "items", "domainName"),
        "metrics": ("logs", "describe_metric_filters", "metricFilters", "filterName"),
        "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "topics": ("sns", "list_topics", "Topics", "TopicArn"),
        "rules": ("events", "list_rules", "Rules", "Name"),
    }
    found = {}
    for name, (service, operation, member, field) in listed.items():
        resources = getattr(cloud.client(service), operation)().get(member, [])
        found[name] = [one[field] if field else one for one in resources]
    logs = cloud.client("logs").describe_log_groups()["logGroups"]
    found["logs"] = [log["logGroupName"] for log in logs if log["creationTime"] < began * 1000]
    keys = cloud.client("kms")
    described = [keys.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in keys.list_keys()["Keys"]]
    found["keys"] = [key["KeyId"] for key in described if key["KeyManager"] == "CUSTOMER"]
    return found
