"""`make deploy` and `make remove` on MiniStack with a small template: their output, refusals, and effects."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infra import deploy, package, remove
from infra.ministack import MiniStack
from infra.stages import ROOT
from tests.infra.packages import DATA, a_package, table

TABLE = "AWS::DynamoDB::Table"


def run(stack: str, *arguments: str, command: Any = deploy) -> Result:
    return CliRunner().invoke(command.main, ["--stack", stack, *arguments])


def deployed(stack: str, made: Path, *arguments: str) -> Result:
    done = run(stack, "--package", str(made), *arguments)
    assert done.exit_code == 0, done.output
    return done


def refused(done: Result) -> str:
    """The reason of a refusal, which must be the only line of stderr."""
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    return line


def resources(cloud: MiniStack, stack: str) -> dict[str, str]:
    """The physical names of a stack's resources by their logical names."""
    found = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def retention(cloud: MiniStack, stack: str) -> int:
    """The days for which the stack's log is kept."""
    log = resources(cloud, stack)["Log"]
    (group,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=log)["logGroups"]
    return int(group["retentionInDays"])


def change_sets(cloud: MiniStack, stack: str) -> list[dict[str, Any]]:
    return list(cloud.client("cloudformation").list_change_sets(StackName=stack)["Summaries"])


def status(cloud: MiniStack, stack: str) -> str:
    (found,) = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(found["StackStatus"])


def test_a_new_stack_is_announced_created_and_reported(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    lines = deployed(stack, a_package(tmp_path / "p")).stdout.splitlines()
    assert lines[0] == "account 000000000000, region us-east-1, as arn:aws:iam::000000000000:root"
    assert f"{stack}: a new stack" in lines
    assert f"  {'create':15} {TABLE:40} Table" in lines
    assert f"  {'CREATE_COMPLETE':20} {TABLE:40} Table" in lines
    assert f"{stack} is running: https://{resources(cloud, stack)['RestAPI']}.example/" in lines
    assert (
        f"  create an admin:     ./moonbase --stack {stack} user create NAME --email NAME@example.org --admin" in lines
    )


def test_a_second_deploy_of_the_same_package_changes_nothing(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    first = deployed(stack, a_package(tmp_path / "p"))
    again = deployed(stack, a_package(tmp_path / "p"))
    assert f"{stack} is up to date" in again.stdout
    assert [line for line in again.stdout.splitlines() if line.startswith("artefact")] == [
        line for line in first.stdout.splitlines() if line.startswith("artefact")
    ]


def test_a_parameter_is_kept_until_another_is_given(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"), "--set", "LogDays=1")
    changed = {**table("core"), "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    output = deployed(stack, a_package(tmp_path / "q", Table=changed)).stdout
    assert retention(cloud, stack) == 1
    assert f"  {'change':15} {TABLE:40} Table (PointInTimeRecoverySpecification)" in output.splitlines()


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"Table": table("other")}, "Table"),
        ({"Table": None}, "Table"),
        ({"Blobs": {"BucketName": "another"}, "Key": None}, "Blobs, Key"),
    ],
)
def test_a_deploy_that_would_lose_data_is_refused(
    cloud: MiniStack, stack: str, tmp_path: Path, changes: dict[str, Any], lost: str
) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    before = resources(cloud, stack), change_sets(cloud, stack)
    done = run(stack, "--package", str(a_package(tmp_path / "q", **changes)))
    assert refused(done) == f"deploy: this would lose the data of: {lost}; FORCE=yes does it anyway"
    assert (resources(cloud, stack), change_sets(cloud, stack)) == before


def test_a_forced_deploy_may_lose_data(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    output = deployed(stack, a_package(tmp_path / "q", Key=None), "--force").stdout
    assert f"  {'delete':15} {'AWS::KMS::Key':40} Key" in output.splitlines()
    assert "Key" not in resources(cloud, stack)


@pytest.mark.parametrize(("answer", "made"), [("n", False), ("y", True)])
def test_a_deploy_at_a_terminal_asks_for_confirmation(
    cloud: MiniStack, stack: str, tmp_path: Path, answer: str, made: bool
) -> None:
    terminal, end = os.openpty()
    os.write(terminal, f"{answer}\n".encode())
    package_ = str(a_package(tmp_path / "p"))
    command = [sys.executable, "-m", "infra.deploy", "--stack", stack, "--package", package_]
    done = subprocess.run(command, stdin=end, capture_output=True, text=True, timeout=60, cwd=ROOT)
    os.close(end)
    os.close(terminal)
    assert "Go on? [y/N]: " in done.stdout
    assert (done.returncode == 0, done.stderr) == (made, "" if made else "deploy: nothing was changed\n")
    stacks = cloud.client("cloudformation").list_stacks()["StackSummaries"]
    created = [one["StackName"] for one in stacks if one["StackStatus"] == "CREATE_COMPLETE"]
    assert (stack in created) is made


def test_the_previous_version_can_be_deployed_again(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    first, second = (a_package(tmp_path / name, Log={"RetentionInDays": days}) for name, days in (("p", 1), ("q", 7)))
    deployed(stack, first)
    assert refused(run(stack, "--artefact", "previous")).endswith("has had no other version than its current one")
    deployed(stack, second)
    for days in (1, 7):  # after the first rollback, the second version is the previous one
        deployed_again = run(stack, "--artefact", "previous")
        assert deployed_again.exit_code == 0, deployed_again.output
        assert retention(cloud, stack) == days


def test_a_version_is_found_by_its_name(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    output = deployed(stack, a_package(tmp_path / "p")).stdout
    name = next(line.removeprefix("artefact ") for line in output.splitlines() if line.startswith("artefact "))
    assert f"{stack} is up to date" in run(stack, "--artefact", name).stdout
    assert f"0 artefacts are called zzz; {stack} had: {name} (20" in refused(run(stack, "--artefact", "zzz"))


def test_a_version_of_another_stage_is_refused(stack: str, tmp_path: Path) -> None:
    output = deployed(stack, a_package(tmp_path / "p")).stdout
    name = next(line.removeprefix("artefact ") for line in output.splitlines() if line.startswith("artefact "))
    why = "deploy: this package is for the stage prod, not for dev"
    assert refused(run(stack, "--stage", "dev", "--artefact", name)) == why


def test_a_failed_first_deploy_prints_the_reason_and_can_be_removed(
    cloud: MiniStack, stack: str, tmp_path: Path
) -> None:
    made = str(a_package(tmp_path / "p", Blobs={"BucketName": "taken"}))
    cloud.client("s3").create_bucket(Bucket="taken")
    why = refused(run(stack, "--package", made))
    reason = "Blobs: Resource of type 'AWS::S3::Bucket' with identifier 'taken' already exists."
    assert why == f"deploy: the stack {stack} ended in ROLLBACK_COMPLETE: {reason}"
    assert refused(run(stack, "--package", made)).startswith(f"deploy: the stack {stack} is in ROLLBACK_COMPLETE: its")
    assert run(stack, "--yes", "--data", command=remove).exit_code == 0
    deployed(stack, a_package(tmp_path / "q"))


def test_a_stack_is_removed_and_its_data_remain(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    had = resources(cloud, stack)
    output = run(stack, "--yes", command=remove).stdout
    assert all(had[name] in output for name in DATA)
    assert f"MOONBASE_TABLES={stack} MOONBASE_BLOBS=s3://{had['Blobs']} MOONBASE_KMS_KEY={had['Key']}" in output
    assert cloud.client("dynamodb").describe_table(TableName=had["Table"])["Table"]["DeletionProtectionEnabled"]
    cloud.client("s3").head_bucket(Bucket=had["Blobs"])
    assert cloud.client("kms").describe_key(KeyId=had["Key"])["KeyMetadata"]["KeyState"] == "Enabled"
    left = f"there are tables of an earlier stack {stack} ({stack}-core)"
    assert left in refused(run(stack, "--package", str(a_package(tmp_path / "p"))))


def test_data_are_deleted_on_request(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p", Blobs={"VersioningConfiguration": {"Status": "Enabled"}}))
    had, store = resources(cloud, stack), cloud.client("s3")
    for content in (b"first", b"second"):
        store.put_object(Bucket=had["Blobs"], Key="x", Body=content)
    store.delete_object(Bucket=had["Blobs"], Key="x")
    done = run(stack, "--yes", "--data", command=remove)
    assert done.exit_code == 0, done.output
    assert had["Table"] not in cloud.client("dynamodb").list_tables()["TableNames"]
    assert had["Blobs"] not in [bucket["Name"] for bucket in store.list_buckets()["Buckets"]]
    assert cloud.client("kms").describe_key(KeyId=had["Key"])["KeyMetadata"]["KeyState"] == "PendingDeletion"
    nothing = f"remove: there is no stack {stack} in us-east-1, and no remains of one"
    assert refused(run(stack, "--yes", command=remove)) == nothing


def test_to_delete_data_the_user_types_the_stacks_name(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    answered = CliRunner().invoke(remove.main, ["--stack", stack, "--data"], input="yes\n")
    assert (answered.exit_code, answered.stderr) == (1, "remove: nothing was deleted\n")
    assert f"{stack}-core" in answered.stdout
    assert status(cloud, stack) == "CREATE_COMPLETE"


def test_credentials_that_aws_rejects_are_refused(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    assert refused(run(stack)).startswith("deploy: AWS does not accept these credentials: ")


@pytest.mark.parametrize(
    ("limit", "part"),
    [("LARGEST_ZIP", "the code"), ("LARGEST_CODE", "the unpacked code"), ("LARGEST_TEMPLATE", "the tem")],
)
def test_a_package_that_is_too_large_is_refused_before_anything_is_created(
    cloud: MiniStack, stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, part: str
) -> None:
    monkeypatch.setattr(package, limit, 3)
    before = cloud.client("s3").list_buckets()["Buckets"]
    assert refused(run(stack, "--package", str(a_package(tmp_path / "p")))).startswith(f"deploy: {part}")
    assert cloud.client("s3").list_buckets()["Buckets"] == before
    with pytest.raises(cloud.client("cloudformation").exceptions.ClientError, match="does not exist"):
        status(cloud, stack)


def test_a_package_for_another_stage_is_refused(stack: str, tmp_path: Path) -> None:
    made = a_package(tmp_path / "p", stage="dev")
    assert refused(run(stack, "--package", str(made))) == "deploy: this package is for the stage dev, not for prod"
    assert "there is no sam.json" in refused(run(stack, "--package", str(tmp_path)))
