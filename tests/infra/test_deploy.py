"""`make deploy` and `make remove`, on MiniStack with a small template: what is shown, refused, kept and gone."""

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
    """Why, in one line and nowhere else."""
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    return line


def resources(cloud: MiniStack, stack: str) -> dict[str, str]:
    """What a stack has, by logical name."""
    found = cloud.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def retention(cloud: MiniStack, stack: str) -> int:
    """For how many days the stack's log is kept."""
    log = resources(cloud, stack)["Log"]
    (group,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=log)["logGroups"]
    return int(group["retentionInDays"])


def change_sets(cloud: MiniStack, stack: str) -> list[dict[str, Any]]:
    return list(cloud.client("cloudformation").list_change_sets(StackName=stack)["Summaries"])


def status(cloud: MiniStack, stack: str) -> str:
    (found,) = cloud.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return str(found["StackStatus"])


def test_a_new_stack_is_shown_made_and_told(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    told = deployed(stack, a_package(tmp_path / "p")).stdout.splitlines()
    assert told[0] == "account 000000000000, region us-east-1, as arn:aws:iam::000000000000:root"
    assert f"{stack}: a new stack" in told
    assert f"  {'create':15} {TABLE:40} Table" in told
    assert f"  {'CREATE_COMPLETE':20} {TABLE:40} Table" in told
    assert f"{stack} stands: https://{resources(cloud, stack)['RestAPI']}.example/" in told
    assert (
        f"  an admin:            ./moonbase --stack {stack} user create NAME --email NAME@example.org --admin" in told
    )


def test_what_is_deployed_again_is_so_already(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    first = deployed(stack, a_package(tmp_path / "p"))
    again = deployed(stack, a_package(tmp_path / "p"))
    assert f"{stack} is so already" in again.stdout
    assert [line for line in again.stdout.splitlines() if line.startswith("artefact")] == [
        line for line in first.stdout.splitlines() if line.startswith("artefact")
    ]


def test_a_parameter_is_kept_until_another_is_given(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"), "--set", "LogDays=1")
    changed = {**table("core"), "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    told = deployed(stack, a_package(tmp_path / "q", Table=changed)).stdout
    assert retention(cloud, stack) == 1
    assert f"  {'change':15} {TABLE:40} Table (PointInTimeRecoverySpecification)" in told.splitlines()


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"Table": table("other")}, "Table"),
        ({"Table": None}, "Table"),
        ({"Blobs": {"BucketName": "another"}, "Key": None}, "Blobs, Key"),
    ],
)
def test_what_would_lose_data_is_refused(
    cloud: MiniStack, stack: str, tmp_path: Path, changes: dict[str, Any], lost: str
) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    before = resources(cloud, stack), change_sets(cloud, stack)
    done = run(stack, "--package", str(a_package(tmp_path / "q", **changes)))
    assert refused(done) == f"deploy: what holds data would be lost: {lost}; FORCE=yes does it all the same"
    assert (resources(cloud, stack), change_sets(cloud, stack)) == before


def test_it_is_done_when_it_is_meant(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    told = deployed(stack, a_package(tmp_path / "q", Key=None), "--force").stdout
    assert f"  {'delete':15} {'AWS::KMS::Key':40} Key" in told.splitlines()
    assert "Key" not in resources(cloud, stack)


@pytest.mark.parametrize(("answer", "made"), [("n", False), ("y", True)])
def test_whoever_sits_at_a_terminal_is_asked(
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
    standing = [one["StackName"] for one in stacks if one["StackStatus"] == "CREATE_COMPLETE"]
    assert (stack in standing) is made


def test_the_version_before_is_deployed_again(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    first, second = (a_package(tmp_path / name, Log={"RetentionInDays": days}) for name, days in (("p", 1), ("q", 7)))
    deployed(stack, first)
    assert refused(run(stack, "--artefact", "previous")).endswith("before what is there now")
    deployed(stack, second)
    for days in (1, 7):  # and the version before that is the second
        deployed_again = run(stack, "--artefact", "previous")
        assert deployed_again.exit_code == 0, deployed_again.output
        assert retention(cloud, stack) == days


def test_a_version_is_found_by_its_name(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    told = deployed(stack, a_package(tmp_path / "p")).stdout
    name = next(line.removeprefix("artefact ") for line in told.splitlines() if line.startswith("artefact "))
    assert f"{stack} is so already" in run(stack, "--artefact", name).stdout
    assert f"0 artefacts are called zzz; {stack} had: {name} (20" in refused(run(stack, "--artefact", "zzz"))


def test_a_version_of_another_stage_is_refused(stack: str, tmp_path: Path) -> None:
    told = deployed(stack, a_package(tmp_path / "p")).stdout
    name = next(line.removeprefix("artefact ") for line in told.splitlines() if line.startswith("artefact "))
    why = "deploy: this was packaged for the stage prod, not for dev"
    assert refused(run(stack, "--stage", "dev", "--artefact", name)) == why


def test_a_first_deploy_that_fails_says_why_and_is_cleared_away(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    made = str(a_package(tmp_path / "p", Blobs={"BucketName": "taken"}))
    cloud.client("s3").create_bucket(Bucket="taken")
    why = refused(run(stack, "--package", made))
    reason = "Blobs: Resource of type 'AWS::S3::Bucket' with identifier 'taken' already exists."
    assert why == f"deploy: the stack {stack} ended in ROLLBACK_COMPLETE: {reason}"
    assert refused(run(stack, "--package", made)).startswith(f"deploy: the stack {stack} is in ROLLBACK_COMPLETE: its")
    assert run(stack, "--yes", "--data", command=remove).exit_code == 0
    deployed(stack, a_package(tmp_path / "q"))


def test_a_stack_is_removed_and_its_data_stay(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    had = resources(cloud, stack)
    told = run(stack, "--yes", command=remove).stdout
    assert all(had[name] in told for name in DATA)
    assert f"MOONBASE_TABLES={stack} MOONBASE_BLOBS=s3://{had['Blobs']} MOONBASE_KMS_KEY={had['Key']}" in told
    assert cloud.client("dynamodb").describe_table(TableName=had["Table"])["Table"]["DeletionProtectionEnabled"]
    cloud.client("s3").head_bucket(Bucket=had["Blobs"])
    assert cloud.client("kms").describe_key(KeyId=had["Key"])["KeyMetadata"]["KeyState"] == "Enabled"
    left = f"there are tables of an earlier stack {stack} ({stack}-core)"
    assert left in refused(run(stack, "--package", str(a_package(tmp_path / "p"))))


def test_data_are_deleted_when_that_is_meant(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
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
    nothing = f"remove: there is no stack {stack} in us-east-1, and nothing left of one"
    assert refused(run(stack, "--yes", command=remove)) == nothing


def test_who_deletes_data_writes_the_stacks_name(cloud: MiniStack, stack: str, tmp_path: Path) -> None:
    deployed(stack, a_package(tmp_path / "p"))
    answered = CliRunner().invoke(remove.main, ["--stack", stack, "--data"], input="yes\n")
    assert (answered.exit_code, answered.stderr) == (1, "remove: nothing was deleted\n")
    assert f"{stack}-core" in answered.stdout
    assert status(cloud, stack) == "CREATE_COMPLETE"


def test_credentials_that_aws_does_not_know_are_refused(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    assert refused(run(stack)).startswith("deploy: AWS cannot tell whose credentials these are: ")


@pytest.mark.parametrize(
    ("limit", "what"),
    [("LARGEST_ZIP", "the code"), ("LARGEST_CODE", "the unpacked code"), ("LARGEST_TEMPLATE", "the tem")],
)
def test_a_package_that_is_too_large_is_refused_before_anything_is_made(
    cloud: MiniStack, stack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    monkeypatch.setattr(package, limit, 3)
    before = cloud.client("s3").list_buckets()["Buckets"]
    assert refused(run(stack, "--package", str(a_package(tmp_path / "p")))).startswith(f"deploy: {what}")
    assert cloud.client("s3").list_buckets()["Buckets"] == before
    with pytest.raises(cloud.client("cloudformation").exceptions.ClientError, match="does not exist"):
        status(cloud, stack)


def test_a_package_for_another_stage_is_refused(stack: str, tmp_path: Path) -> None:
    made = a_package(tmp_path / "p", stage="dev")
    assert refused(run(stack, "--package", str(made))) == "deploy: this was packaged for the stage dev, not for prod"
    assert "there is no sam.json" in refused(run(stack, "--package", str(tmp_path)))
