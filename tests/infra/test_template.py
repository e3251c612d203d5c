"""The template: it has the resources that the app needs, protected, and accessible to the app alone."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from moto import mock_aws
from pynamodb.models import Model

from chalicelib.core import job_runner, jobs, registry, storage, uploads
from chalicelib.core.lua import rooms
from chalicelib.settings import CHOICES, Settings
from infra import package
from infra.package import LARGEST_TEMPLATE
from infra.stages import ROOT
from tests import rights
from tests.infra.packages import make

Template = dict[str, Any]


@pytest.fixture
def template(packaged: Path) -> Template:
    """The whole template."""
    whole: Template = json.loads((packaged / "sam.json").read_text())
    return whole


@pytest.fixture
def variables(template: Template) -> dict[str, Any]:
    """The environment variables of the functions that run the app."""
    found: dict[str, Any] = template["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    return found


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
    """cfn-lint checks conditional resources both ways: with host names and without."""
    from cfnlint.api import ManualArgs, lint  # here, because its import takes two seconds

    found = lint((packaged / "sam.json").read_text(), config=ManualArgs(regions=["us-east-1"]))
    assert [str(match) for match in found] == []


def test_the_template_is_far_from_its_limit(packaged: Path) -> None:
    assert (packaged / "sam.json").stat().st_size < LARGEST_TEMPLATE


@pytest.mark.parametrize("model", registry.current().models, ids=lambda model: model.Meta.table_name)
def test_every_table_matches_its_model(merged: Template, model: type[Model]) -> None:
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
    """As `of_type`, for our part of the template, where an addition to one of Chalice's resources has no type."""
    return {name: resource for name, resource in merged["Resources"].items() if resource.get("Type") == kind}


def by_name(definitions: list[dict[str, str]]) -> dict[str, str]:
    return {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}


def indexes(table: dict[str, Any]) -> dict[str, Any]:
    return {
        index["IndexName"]: (index["KeySchema"], index["Projection"])
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for index in table.get(kind, [])
    }


def test_there_is_no_table_without_a_model(template: Template) -> None:
    assert len(of_type(template, "AWS::DynamoDB::Table")) == len(registry.current().models)


def test_resources_with_data_outlive_the_stack(template: Template) -> None:
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
    kept = [resource for kind in kinds for resource in of_type(template, kind).values()]
    assert len(kept) == len(registry.current().models) + 2
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


def test_the_bucket_denies_requests_without_tls(template: Template) -> None:
    ((name, _),) = of_type(template, "AWS::S3::Bucket").items()
    (policy,) = of_type(template, "AWS::S3::BucketPolicy").values()
    assert policy["Properties"]["Bucket"] == {"Ref": name}
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "NothingWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_overwritten_and_incomplete_objects_expire(template: Template) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    versions, slots = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (versions["Status"], "Prefix" in versions) == ("Enabled", False)
    assert versions["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert versions["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "ExpirationInDays" not in versions
    assert (slots["Prefix"], slots["ExpirationInDays"]) == (f"{uploads.AREA}/", 1)


def test_web_pages_may_send_and_read_files_of_the_bucket_and_nothing_else(template: Template) -> None:
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["CorsConfiguration"]["CorsRules"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD", "POST"]


def test_every_variable_is_a_setting_of_all_functions_of_the_app(template: Template, variables: dict[str, Any]) -> None:
    assert set(variables) <= {f"MOONBASE_{field.name.upper()}" for field in fields(Settings)}
    assert "Environment" not in template["Globals"]["Function"]
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        if name != "Evaluator":
            assert function["Properties"]["Environment"]["Variables"] == variables


def test_untrusted_lua_runs_in_a_function_without_environment_and_rights(
    template: Template, variables: dict[str, Any]
) -> None:
    app, function = (template["Resources"][name]["Properties"] for name in ("APIHandler", "Evaluator"))
    assert variables["MOONBASE_LUA_EVALUATOR"] == {"Ref": "Evaluator"}
    assert function == {
        "Handler": f"{rooms.__name__}.{rooms.handle.__name__}",
        "Role": {"Fn::GetAtt": ["EvaluatorRole", "Arn"]},
        "MemorySize": 512,
        "Timeout": 10,
        "LoggingConfig": {"LogGroup": {"Ref": "EvaluatorLog"}},
        "CodeUri": app["CodeUri"],
        "Runtime": app["Runtime"],
    }
    (policy,) = template["Resources"]["EvaluatorRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement == {
        "Sid": "Logs",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["EvaluatorLog", "Arn"]},
    }
    assert "ManagedPolicyArns" not in template["Resources"]["EvaluatorRole"]["Properties"]


def test_bodies_fit_into_a_lambda_event(variables: dict[str, Any]) -> None:
    """Base64 makes four bytes of three; 100 KB of the 6 MB are left for headers and the rest of the event."""
    for name in ("MOONBASE_MAX_BODY", "MOONBASE_MAX_ANSWER"):
        assert int(variables[name]) * 4 / 3 < 6 * 1024 * 1024 - 100_000


def test_every_function_has_its_own_policy(template: Template) -> None:
    functions = {
        "APIHandler": rights.API,
        "RunJobs": rights.CLOCK,
        "WakeJobs": rights.QUEUE,
    }
    assert set(of_type(template, "AWS::Serverless::Function")) == {*functions, "Evaluator"}
    for name, function in functions.items():
        role, _ = template["Resources"][name]["Properties"]["Role"]["Fn::GetAtt"]
        (policy,) = template["Resources"][role]["Properties"]["Policies"]
        assert policy["PolicyDocument"] == json.loads(rights.policy_file(function).read_text())


def test_every_right_is_to_a_resource_of_the_template(template: Template) -> None:
    for right in rights.granted():
        name = right.resource.partition(".")[0]
        assert name in template["Resources"] or right.action.startswith(("route53:", "ses:")), right


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


# IAM has no resource for these actions, because the zone does not exist yet or is not known.
WITHOUT_RESOURCE = {"route53:CreateHostedZone", "route53:ListHostedZonesByName"}


# A catalogue of an older shape is rebuilt from these. Accounts, keys and zones are never read by the table.
SCANNED = [{"Fn::GetAtt": [f"{name}Table", "Arn"]} for name in ("LuaRocks", "ContentDb", "Hel")]


def test_no_right_is_a_wildcard(policies: list[list[Any]]) -> None:
    for statement in (statement for statements in policies for statement in statements):
        assert "*" not in str(statement["Action"])
        assert statement["Resource"] != "*" or set(statement["Action"]) <= WITHOUT_RESOURCE
        assert "Scan" not in str(statement["Action"]) or statement["Resource"] == SCANNED


def test_enqueued_jobs_wake_a_function_with_enough_time(template: Template, variables: dict[str, Any]) -> None:
    function = template["Resources"]["WakeJobs"]["Properties"]
    (source,) = function["Events"].values()
    assert (source["Type"], source["Properties"]["Queue"]) == ("SQS", {"Fn::Sub": "${JobsQueue.Arn}"})
    queue = template["Resources"]["JobsQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    redrive = queue["RedrivePolicy"]
    assert queue["MessageRetentionPeriod"] > queue["VisibilityTimeout"] * redrive["maxReceiveCount"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["JobsDeadLetters", "Arn"]}
    assert variables["MOONBASE_QUEUE"] == {"Ref": "JobsQueue"}


def test_a_lease_is_longer_than_any_function_and_slow_jobs_leave_an_invocation_for_others(template: Template) -> None:
    for name in ("RunJobs", "WakeJobs"):
        assert template["Resources"][name]["Properties"]["Timeout"] < jobs.LEASE
    (source,) = template["Resources"]["WakeJobs"]["Properties"]["Events"].values()
    assert source["Properties"]["ScalingConfig"]["MaximumConcurrency"] > job_runner.MOST_SLOW


def test_the_schedule_runs_jobs_every_minute(template: Template) -> None:
    (event,) = template["Resources"]["RunJobs"]["Properties"]["Events"].values()
    assert (event["Type"], event["Properties"]) == ("Schedule", {"Schedule": "rate(1 minute)"})


def test_zones_are_published_at_route_53_with_the_names_in_the_parameters(
    template: Template, variables: dict[str, Any]
) -> None:
    settings = {name.removeprefix("MOONBASE_LUADNS_"): value for name, value in variables.items() if "LUADNS" in name}
    assert settings == {
        "ENGINE": "route53",
        "NAME_SERVERS": {"Ref": "LuaDnsNameServers"},
        "DELEGATION_SET": {"Ref": "LuaDnsDelegationSet"},
    }
    default = template["Parameters"]["LuaDnsNameServers"]["Default"]
    assert tuple(default.split(",")) == Settings().luadns_name_servers


def test_a_parameter_sets_who_may_register(template: Template, variables: dict[str, Any]) -> None:
    assert variables["MOONBASE_REGISTRATION"] == {"Ref": "Registration"}
    parameter = template["Parameters"]["Registration"]
    assert parameter["Default"] == Settings().registration
    assert parameter["AllowedPattern"] == f"^({'|'.join(CHOICES['registration'])})$"


def test_a_parameter_sets_the_services(template: Template, variables: dict[str, Any]) -> None:
    assert variables["MOONBASE_SERVICES"] == {"Ref": "Services"}
    names = "|".join(each.name for each in registry.current().declarations if not each.essential)
    assert template["Parameters"]["Services"]["Default"] == ""
    assert template["Parameters"]["Services"]["AllowedPattern"] == f"^$|^({names})(,({names}))*$"


def test_a_parameter_sets_the_services_with_immutable_files(template: Template, variables: dict[str, Any]) -> None:
    assert variables["MOONBASE_IMMUTABLE"] == {"Ref": "Immutable"}
    names = "|".join(each.name for each in registry.current().declarations if each.immutable)
    assert template["Parameters"]["Immutable"]["Default"] == ""
    assert template["Parameters"]["Immutable"]["AllowedPattern"] == f"^$|^({names})(,({names}))*$"


def test_the_gateway_repeats_nothing_of_a_request(template: Template) -> None:
    answers = template["Resources"]["RestAPI"]["Properties"]["GatewayResponses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "MISSING_AUTHENTICATION_TOKEN", "REQUEST_TOO_LARGE"} <= set(answers)
    for answer in answers.values():
        (body,) = answer["ResponseTemplates"].values()
        assert list(json.loads(body)) == ["message"]
        assert "$" not in body
        assert answer["ResponseParameters"]["Headers"]["X-Content-Type-Options"] == "'nosniff'"


def test_the_api_is_regional_binary_and_never_compressed(template: Template) -> None:
    api = template["Resources"]["RestAPI"]["Properties"]
    assert api["EndpointConfiguration"] == "REGIONAL"
    assert api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"] == ["*/*"]
    assert "MinimumCompressionSize" not in api


def test_the_api_has_the_stacks_name_which_separates_its_metrics(template: Template) -> None:
    assert template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["info"]["title"] == {
        "Ref": "AWS::StackName"
    }
    assert "Name" not in template["Resources"]["RestAPI"]["Properties"]


def test_parameters_set_the_rate_limit_of_the_api(template: Template) -> None:
    (settings,) = template["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    assert settings == {
        "HttpMethod": "*",
        "ResourcePath": "/*",
        "ThrottlingRateLimit": {"Ref": "RequestsPerSecond"},
        "ThrottlingBurstLimit": {"Ref": "RequestBurst"},
    }


def test_the_gateways_log_has_no_path_no_query_and_no_header(template: Template) -> None:
    logged = template["Resources"]["RestAPI"]["Properties"]["AccessLogSetting"]
    assert "${AccessLog}" in logged["DestinationArn"]["Fn::Sub"]
    assert json.loads(logged["Format"]) == {
        "time": "$context.requestTimeEpoch",
        "request_id": "$context.requestId",
        "client": "$context.identity.sourceIp",
        "host": "$context.domainName",
        "method": "$context.httpMethod",
        "route": "$context.resourcePath",
        "status": "$context.status",
        "bytes": "$context.responseLength",
        "ms": "$context.responseLatency",
        "function_ms": "$context.integration.latency",
        "error": "$context.error.responseType",
    }


@pytest.mark.parametrize("number", ["", "2", "3", "4"])
def test_each_host_name_leads_to_the_one_api(template: Template, number: str) -> None:
    host, mapping = (template["Resources"][f"{kind}{number}"] for kind in ("Host", "HostMapping"))
    assert host["Condition"] == mapping["Condition"] == f"HasHostName{number}"
    assert host["Properties"] == {
        "DomainName": {"Ref": f"HostName{number}"},
        "RegionalCertificateArn": {"Ref": "Certificate"},
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "SecurityPolicy": "TLS_1_2",
    }
    assert mapping["Properties"] == {
        "DomainName": {"Ref": f"Host{number}"},
        "RestApiId": {"Ref": "RestAPI"},
        "Stage": {"Ref": "RestAPI.Stage"},
    }
    assert template["Outputs"][f"HostTarget{number}"]["Condition"] == f"HasHostName{number}"


def test_a_stack_has_no_fixed_base_url(variables: dict[str, Any]) -> None:
    """It answers under several host names, AWS' own included, and uses the host of the request."""
    assert "MOONBASE_BASE_URL" not in variables


def test_every_parameter_has_a_default_and_a_described_constraint(template: Template) -> None:
    for parameter in template["Parameters"].values():
        assert {"Default", "ConstraintDescription", "Description"} <= set(parameter)
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)


def test_logs_expire(template: Template) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert [group["Properties"]["RetentionInDays"] for group in groups.values()] == [{"Ref": "LogDays"}] * 3


def test_functions_log_json_from_info_on(template: Template) -> None:
    assert template["Globals"]["Function"]["LoggingConfig"] == {
        "LogGroup": {"Ref": "Log"},
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
    }


ALARMS = {
    "ServerErrors": ("5XXError", 5, 1, "notBreaching"),
    "RequestsTurnedAway": ("TurnedAway", 100, 1, "notBreaching"),
    "FunctionErrors": ("Errors", 1, 1, "notBreaching"),
    "FunctionThrottles": ("Throttles", 1, 1, "notBreaching"),
    "DeadLetters": ("ApproximateNumberOfMessagesVisible", 1, 1, "notBreaching"),
    "DeadJobs": ("DeadJobs", 1, 1, "notBreaching"),
    "JobAge": ("OldestJob", 900, 3, "breaching"),  # without a log line no jobs run
}


def test_alarms_go_to_the_topic_and_from_there_by_mail(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    assert set(alarms) == set(ALARMS)
    for name, alarm in alarms.items():
        properties = alarm["Properties"]
        metrics = {
            metric["MetricStat"]["Metric"]["MetricName"]
            for metric in properties.get("Metrics", [])
            if "MetricStat" in metric
        } or {properties["MetricName"]}
        names = ("Threshold", "EvaluationPeriods", "TreatMissingData")
        assert (metrics.pop(), *(properties[name] for name in names)) == ALARMS[name]
        assert metrics == set()
        assert properties["AlarmActions"] == properties["OKActions"] == [{"Ref": "Alarms"}]
        assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    mail = template["Resources"]["AlarmMail"]
    assert mail["Condition"] == "HasAlarmEmail"
    assert mail["Properties"] == {"TopicArn": {"Ref": "Alarms"}, "Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}


@pytest.mark.parametrize("name", ["FunctionErrors", "FunctionThrottles"])
def test_an_alarm_about_functions_covers_all_of_them(template: Template, name: str) -> None:
    whole, *each = template["Resources"][name]["Properties"]["Metrics"]
    watched = {metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"] for metric in each}
    assert watched == set(of_type(template, "AWS::Serverless::Function"))
    assert whole["Expression"] == f"SUM([{', '.join(metric['Id'] for metric in each)}])"


@pytest.mark.usefixtures("aws")
def test_metrics_are_extracted_from_fields_that_are_logged(
    template: Template, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "chalicelib.core.job_runner"):
        job_runner.report()
    (record,) = caplog.records
    filters = [resource["Properties"] for resource in of_type(template, "AWS::Logs::MetricFilter").values()]
    of_functions = [made for made in filters if made["LogGroupName"] == {"Ref": "Log"}]
    assert len(of_functions) == 2
    for made in of_functions:
        (metric,) = made["MetricTransformations"]
        field = metric["MetricValue"].removeprefix("$.")
        assert (hasattr(record, field), made["FilterPattern"]) == (True, f"{{ $.{field} >= 0 }}")
    for metric in (made["MetricTransformations"][0] for made in filters):
        assert metric["MetricNamespace"] == {"Ref": "AWS::StackName"}


def test_chalice_generates_no_policy_and_no_log_group() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    assert config["autogen_policy"] is False
    assert "log_retention_in_days" not in str(config)


def test_another_stage_differs_only_in_its_name(tmp_path: Path, packaged: Path) -> None:
    other = (make(tmp_path, "dev") / "sam.json").read_text()
    assert json.loads(other)["Resources"]["RestAPI"]["Properties"]["StageName"] == "dev"
    for name in ('"StageName":"{}"', "stage={}:", "${{AWS::URLSuffix}}/{}/"):
        assert name.format("dev") in other
        other = other.replace(name.format("dev"), name.format(package.STAGE))
    assert other == (packaged / "sam.json").read_text()
