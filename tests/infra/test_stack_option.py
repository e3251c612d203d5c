"""`./moonbase --stack NAME` uses the settings of the stack's functions."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping

import pytest

from infra.ministack import MiniStack
from infra.stages import our_template
from tests.servers import MOONBASE


def run(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOONBASE_"))}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}
    return subprocess.run(
        [sys.executable, str(MOONBASE), *arguments],
        env={**ours, **nowhere, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    return line


@pytest.fixture
def tables(cloud: MiniStack, stack: str) -> str:
    """A stack with our tables, whose output names a function with the settings."""
    lambdas, formation = cloud.client("lambda"), cloud.client("cloudformation")
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "*"}]}'
    role = cloud.client("iam").create_role(RoleName=stack, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("app.py", "")
    lambdas.create_function(
        FunctionName=f"{stack}-api"[-60:],
        Runtime="python3.11",
        Role=role,
        Handler="app.app",
        Code={"ZipFile": code.getvalue()},
        Environment={
            "Variables": {"MOONBASE_TABLES": stack, "MOONBASE_BLOBS": "s3://nowhere", "MOONBASE_HEL_PAGE": "7"}
        },
    )
    resources = our_template()["Resources"]
    template = {
        "Resources": {name: made for name, made in resources.items() if made.get("Type") == "AWS::DynamoDB::Table"},
        "Outputs": {"APIHandlerName": {"Value": f"{stack}-api"[-60:]}},
    }
    formation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    while formation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] != "CREATE_COMPLETE":
        time.sleep(0.1)
    return stack


def test_the_first_admin_is_created_with_the_stacks_name(cloud: MiniStack, tables: str) -> None:
    there = cloud.environment()
    made = run(there, f"--stack={tables}", "--json", "user", "create", "alice", "--email", "a@example.org", "--admin")
    assert json.loads(made.stdout) == {"id": 1, "username": "alice"}
    (row,) = json.loads(run({**there, "MOONBASE_STACK": tables}, "--json", "user", "list").stdout)
    assert (row["username"], row["rank"]) == ("alice", "ADMIN")
    item = cloud.client("dynamodb").scan(TableName=f"{tables}-core", Select="COUNT")
    assert item["Count"] > 0


def test_an_unknown_stack_is_an_error(cloud: MiniStack) -> None:
    why = "moonbase: there is no Moonbase stack nosuch in us-east-1; `make deploy` creates one"
    assert refused(run(cloud.environment(), "--stack", "nosuch", "user", "list")) == why


def test_missing_credentials_or_a_missing_region_are_errors() -> None:
    no_credentials = run({"AWS_REGION": "us-east-1"}, "--stack", "moonbase-prod", "user", "list")
    assert refused(no_credentials).startswith("moonbase: no credentials: set AWS_PROFILE, or ")
    no_region = run({}, "--stack", "moonbase-prod", "--json", "user", "list")
    assert json.loads(no_region.stdout) == {"error": "no region: set AWS_REGION, or `region` in ~/.aws/config"}


def test_help_needs_no_credentials() -> None:
    assert "--stack NAME" in run({}, "--stack", "moonbase-prod", "--help").stdout


def test_a_stack_and_a_data_directory_exclude_each_other(cloud: MiniStack, tables: str) -> None:
    both = run({**cloud.environment(), "MOONBASE_DATA": "data"}, "--stack", tables, "user", "list")
    assert both.returncode == 2
    assert "--data and --stack exclude each other" in both.stderr
