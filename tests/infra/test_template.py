"""The template: what the app expects to find is there, protected, and open to the app alone."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from cfnlint.api import ManualArgs, lint
from moto import mock_aws
from pynamodb.models import Model

from chalicelib.core import storage
from chalicelib.settings import Settings
from infra.package import LARGEST_TEMPLATE, ROOT
from standalone.tables import MODELS
from tests import rights

Template = dict[str, Any]


@pytest.fixture
def template(packaged: Path) -> Template:
    """The whole template."""
    whole: Template = json.loads((packaged / "sam.json").read_text())
    return whole


@pytest.fixture
def policies(template: Template) -> list[list[dict[str, Any]]]:
    """The statements of every role's policy."""
    return [
        policy["PolicyDocument"]["Statement"]
        for role in of_type(template, "AWS::IAM::Role").values()
        for policy in role["Properties"]["Policies"]
    ]


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of one type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def test_cfn_lint_finds_nothing(packaged: Path) -> None:
    found = lint((packaged / "sam.json").read_text(), config=ManualArgs(regions=["us-east-1"]))
    assert [str(match) for match in found] == []


def test_the_template_is_far_from_its_limit(packaged: Path) -> None:
    assert (packaged / "sam.json").stat().st_size < LARGEST_TEMPLATE


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.Meta.table_name)
def test_every_table_is_as_its_model_says(merged: Template, model: type[Model]) -> None:
    service = model.Meta.table_name.rpartition("-")[2]
    (table,) = (
        resource["Properties"]
        for resource in of_type_merged(merged, "AWS::DynamoDB::Table").values()
        if resource["Properties"]["TableName"] == {"Fn::Sub": f"${{AWS::StackName}}-{service}"}
    )
    with mock_aws():
        storage.create_tables([model])
        client = get_session().create_client("dynamodb", region_name="us-east-1")
        made = client.describe_table(TableName=model.Meta.table_name)["Table"]
        expiry = client.describe_time_to_live(TableName=model.Meta.table_name)["TimeToLiveDescription"]
    assert table["KeySchema"] == made["KeySchema"]
    assert by_name(table["AttributeDefinitions"]) == by_name(made["AttributeDefinitions"])
    assert indexes(table) == indexes(made)
    assert table["TimeToLiveSpecification"] == {"AttributeName": expiry["AttributeName"], "Enabled": True}


def of_type_merged(merged: Template, kind: str) -> dict[str, dict[str, Any]]:
    """As `of_type`, where a resource may be an addition to one of Chalice's and have no type."""
    return {name: resource for name, resource in merged["Resources"].items() if resource.get("Type") == kind}


def by_name(definitions: list[dict[str, str]]) -> dict[str, str]:
    return {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}


def indexes(table: dict[str, Any]) -> dict[str, Any]:
    return {
        index["IndexName"]: (index["KeySchema"], index["Projection"])
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for index in table.get(kind, [])
    }


def test_no_table_is_there_that_no_model_has(template: Template) -> None:
    assert len(of_type(template, "AWS::DynamoDB::Table")) == len(MODELS)


def test_what_holds_data_outlives_the_stack(template: Template) -> None:
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
    kept = [resource for kind in kinds for resource in of_type(template, kind).values()]
    assert len(kept) == len(MODELS) + 2
    for resource in kept:
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_tables_are_protected_and_paid_by_request(template: Template) -> None:
    for table in of_type(template, "AWS::DynamoDB::Table").values():
        assert table["Properties"]["DeletionProtectionEnabled"] is True
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"


def test_the_bucket_is_private_and_encrypted(template: Template) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_every_variable_is_a_setting(template: Template) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables) <= {f"MOONBASE_{field.name.upper()}" for field in fields(Settings)}
    for function in of_type(template, "AWS::Serverless::Function").values():
        assert "Environment" not in function["Properties"]


def test_bodies_fit_into_a_lambda_event(template: Template) -> None:
    """Base64 makes three bytes four; 100 KB are left of the 6 MB for headers and the rest of the event."""
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    for name in ("MOONBASE_MAX_BODY", "MOONBASE_MAX_ANSWER"):
        assert int(variables[name]) * 4 / 3 < 6 * 1024 * 1024 - 100_000


def test_every_function_has_the_policy_that_is_written_for_it(template: Template) -> None:
    functions = {
        "APIHandler": rights.API,
        "RunJobs": rights.CLOCK,
        "WakeJobs": rights.QUEUE,
    }
    assert set(of_type(template, "AWS::Serverless::Function")) == set(functions)
    for name, function in functions.items():
        role, _ = template["Resources"][name]["Properties"]["Role"]["Fn::GetAtt"]
        (policy,) = template["Resources"][role]["Properties"]["Policies"]
        assert policy["PolicyDocument"] == json.loads(rights.policy_file(function).read_text())


def test_every_right_is_to_something_of_the_template(template: Template) -> None:
    for right in rights.granted():
        name = right.resource.partition(".")[0]
        assert name in template["Resources"] or right.action.startswith("route53:"), right


def test_the_tests_know_every_table_by_its_name_in_the_template(merged: Template) -> None:
    tables = of_type_merged(merged, "AWS::DynamoDB::Table")
    names = {name: table["Properties"]["TableName"]["Fn::Sub"] for name, table in tables.items()}
    prefix = Settings().tables
    assert {text.replace("${AWS::StackName}", prefix): name for name, text in names.items()} == rights.TABLES


def test_every_index_may_be_queried(template: Template) -> None:
    wanted = {
        f"{name}.Arn/index/{index}"
        for name, table in of_type(template, "AWS::DynamoDB::Table").items()
        for index in indexes(table["Properties"])
    }
    assert {right.resource for right in rights.granted() if "/index/" in right.resource} == wanted


# IAM knows no resource for these, as what they are about is not there yet, or may be anything.
WITHOUT_RESOURCE = {"route53:CreateHostedZone", "route53:ListHostedZonesByName"}


def test_no_right_is_a_wildcard(policies: list[list[Any]]) -> None:
    for statement in (statement for statements in policies for statement in statements):
        assert "*" not in str(statement["Action"])
        assert statement["Resource"] != "*" or set(statement["Action"]) <= WITHOUT_RESOURCE
        assert "Scan" not in str(statement["Action"])


def test_promised_jobs_wake_a_function_that_may_take_its_time(template: Template) -> None:
    function = template["Resources"]["WakeJobs"]["Properties"]
    (source,) = function["Events"].values()
    assert (source["Type"], source["Properties"]["Queue"]) == ("SQS", {"Fn::Sub": "${JobsQueue.Arn}"})
    queue = template["Resources"]["JobsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    redrive = queue["RedrivePolicy"]
    assert queue["MessageRetentionPeriod"] > queue["VisibilityTimeout"] * redrive["maxReceiveCount"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["JobsDeadLetters", "Arn"]}
    assert template["Globals"]["Function"]["Environment"]["Variables"]["MOONBASE_QUEUE"] == {"Ref": "JobsQueue"}


def test_zones_are_published_at_route_53_with_names_that_the_stack_is_told(template: Template) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    told = {name.removeprefix("MOONBASE_LUADNS_"): value for name, value in variables.items() if "LUADNS" in name}
    assert told == {
        "ENGINE": "route53",
        "NAME_SERVERS": {"Ref": "LuaDnsNameServers"},
        "DELEGATION_SET": {"Ref": "LuaDnsDelegationSet"},
    }
    default = template["Parameters"]["LuaDnsNameServers"]["Default"]
    assert tuple(default.split(",")) == Settings().luadns_name_servers


def test_the_gateway_repeats_nothing_of_a_request(template: Template) -> None:
    answers = template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "REQUEST_TOO_LARGE"} <= set(answers)
    for answer in answers.values():
        (body,) = answer["ResponseTemplates"].values()
        assert list(json.loads(body)) == ["message"]
        assert "$" not in body


def test_the_api_is_regional_binary_and_never_compressed(template: Template) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]
    assert api["EndpointConfiguration"] == "REGIONAL"
    assert api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert "MinimumCompressionSize" not in api


def test_logs_end(template: Template) -> None:
    (group,) = of_type(template, "AWS::Logs::LogGroup")
    assert template["Resources"][group]["Properties"]["RetentionInDays"] > 0
    assert template["Globals"]["Function"]["LoggingConfig"] == {"LogGroup": {"Ref": group}}


def test_chalice_makes_no_policy_and_no_log_group_of_its_own() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    assert config["autogen_policy"] is False
    assert "log_retention_in_days" not in str(config)
