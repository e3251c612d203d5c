"""`make deploy` reports a wrong precondition in one line, before it creates anything."""

from typing import Any

import pytest
from botocore.session import get_session
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from infra import bootstrap, deploy, parameters, stages
from infra.account import current_account
from infra.ministack import MiniStack
from infra.stack import Stack
from infra.stages import Refused

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"


def run(*arguments: str) -> str:
    """Run `make deploy`, which must be refused; return the reason."""
    done = CliRunner().invoke(deploy.main, list(arguments))
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (1, True), done.output
    (line,) = done.stderr.splitlines()
    return line.removeprefix("deploy: ")


def client(service: str) -> Any:
    return get_session().create_client(service, region_name="us-east-1")


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials anywhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials() -> None:
    assert run().startswith("no credentials: set AWS_PROFILE, or ")


@pytest.mark.usefixtures("no_credentials")
def test_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert run() == "no region: set AWS_REGION, or `region` in ~/.aws/config"


@pytest.mark.usefixtures("no_credentials")
def test_with_an_unknown_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert run() == "AWS does not accept these credentials: The config profile (work) could not be found"


@pytest.mark.usefixtures("no_credentials")
def test_an_unknown_stage_and_an_unsupported_python_are_found_without_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("--stage", "staging") == "there is no stage staging in .chalice/config.json, which has: dev, prod"
    monkeypatch.setattr(stages, "PYTHONS", ((3, 99),))
    assert "is not supported on Lambda (3.99)" in run()


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        (["HostName"], "'HostName' is not NAME=VALUE"),
        (["Host=x.example.org"], "there is no parameter Host; there are: HostName, HostName2, "),
        (["HostName=X.example.org"], "HostName must be a host name in lower case, such as rocks.example.org, not 'X.e"),
        (["HostName=https://x.example.org"], "HostName must be a host name"),
        (["Certificate=mine"], "Certificate must be the ARN of a certificate of ACM, not 'mine'"),
        (["AlarmEmail=ops"], "AlarmEmail must be a mail address, not 'ops'"),
        (["LogDays=8"], "LogDays must be one of the numbers of days that CloudWatch knows, not '8'"),
        (["RequestsPerSecond=0"], "RequestsPerSecond must be a number from 1 to 10000, not '0'"),
        (["RequestBurst=lots"], "RequestBurst must be a number from 1 to 5000, not 'lots'"),
        (["LuaDnsNameServers=ns1.example.org"], "LuaDnsNameServers must be names with a dot at the end of each"),
        (["HostName=x.example.org"], 'HostName needs Certificate as well: `make deploy SET="Certificate=..."`'),
        (["HostName2=x.example.org"], "HostName2 needs HostName as well"),
        (["LuaDnsDelegationSet=N1PA"], "LuaDnsDelegationSet needs LuaDnsNameServers as well"),
        (
            [f"Certificate={CERTIFICATE}", "HostName=x.example.org", "HostName2=x.example.org"],
            "two of the host names are the same",
        ),
    ],
)
def test_with_wrong_or_missing_parameters(cloud: MiniStack, stack: str, pairs: list[str], why: str) -> None:
    given = [argument for pair in pairs for argument in ("--set", pair)]
    assert run("--stack", stack, *given).startswith(why)
    assert stack not in str(cloud.client("cloudformation").list_stacks())


@mock_aws
def test_with_an_unknown_certificate_or_one_in_another_region() -> None:
    assert certified(CERTIFICATE) == f"there is no certificate {CERTIFICATE}"
    elsewhere = CERTIFICATE.replace("us-east-1", "eu-west-1")
    assert certified(elsewhere) == "the certificate is in eu-west-1, and the stack in us-east-1; ask ACM for one there"


@mock_aws
def test_with_a_certificate_that_is_not_issued() -> None:
    pending = client("acm").request_certificate(DomainName="*.example.org", ValidationMethod="DNS")
    not_yet = "the certificate is PENDING_VALIDATION, not ISSUED: prove to ACM first that the name is yours"
    assert certified(pending["CertificateArn"]) == not_yet


@mock_aws
def test_with_an_invalid_stack_name() -> None:
    assert run("--stack", "my stack").startswith(
        "a stack's name has letters, digits and hyphens, and starts with a letter"
    )


@pytest.mark.usefixtures("stack")
def test_with_a_certificate_for_another_host(cloud: MiniStack) -> None:
    arn = cloud.client("acm").request_certificate(DomainName="*.example.org")["CertificateArn"]
    assert certified(arn, "x.example.org") == ""
    assert certified(arn, "x.y.example.org") == "the certificate is for *.example.org, and not for x.y.example.org"


def certified(arn: str, host: str = "x.example.org") -> str:
    """The reason why a certificate is refused; "" if it is accepted."""
    try:
        parameters.check(
            current_account(), stages.our_template()["Parameters"], {}, {"Certificate": arn, "HostName": host}
        )
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("ROLLBACK_COMPLETE", "its first deploy failed; `make remove DATA=yes` deletes the remains, which have never"),
        ("ROLLBACK_FAILED", "its first deploy failed"),
        ("CREATE_FAILED", "its first deploy failed"),
        ("DELETE_FAILED", "its removal failed; `make remove` tries again"),
        ("UPDATE_ROLLBACK_FAILED", "let CloudFormation's console continue the rollback first"),
        ("UPDATE_IN_PROGRESS", "wait until that operation has ended"),
    ],
)
def test_with_a_stack_in_a_state_that_cannot_be_updated(status: str, why: str) -> None:
    with mock_aws():
        stack = Stack(current_account(), "moonbase-prod")
    answer = {"Stacks": [{"StackName": "moonbase-prod", "CreationTime": 0, "StackStatus": status}]}
    with Stubber(stack._client) as stub:
        stub.add_response("describe_stacks", answer)
        with pytest.raises(Refused, match=f"the stack moonbase-prod is in {status}: {why}"):
            stack.check()


def test_with_a_bucket_of_another_account() -> None:
    """Its name can be guessed; artefacts must not be uploaded to it."""
    with mock_aws():
        account = current_account()
    store = account.client("s3")
    with Stubber(store) as stub, pytest.MonkeyPatch.context() as patch:
        stub.add_client_error("head_bucket", "403", "Forbidden", 403)
        patch.setattr(account._session, "client", lambda *_, **__: store)
        with pytest.raises(
            Refused, match="the bucket moonbase-artefacts-123456789012-us-east-1 belongs to another account"
        ):
            bootstrap.make_artefacts_bucket(account)


def test_the_bucket_for_artefacts_is_private_encrypted_and_requires_tls() -> None:
    with mock_aws():
        account = current_account()
        assert bootstrap.make_artefacts_bucket(account) == "the bucket moonbase-artefacts-123456789012-us-east-1"
        assert bootstrap.make_artefacts_bucket(account) is None
        bucket = {"Bucket": bootstrap.artefacts_bucket(account)}
        store = client("s3")
        closed = store.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
        assert set(closed.values()) == {True}
        (rule,) = store.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert '"aws:SecureTransport": "false"' in store.get_bucket_policy(**bucket)["Policy"]


@pytest.mark.usefixtures("stack")
def test_the_gateway_is_given_a_role_for_its_log_unless_it_has_one(cloud: MiniStack) -> None:
    gateway, account = cloud.client("apigateway"), current_account()
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])
    for _ in range(2):  # as in a second region, where the role exists already
        assert bootstrap.let_gateway_log(account) == "the role moonbase-gateway-logs, which lets API Gateway write logs"
        role = cloud.client("iam").get_role(RoleName="moonbase-gateway-logs")["Role"]["Arn"]
        assert gateway.get_account()["cloudwatchRoleArn"] == role
        assert bootstrap.let_gateway_log(account) is None
        gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])
    theirs = "arn:aws:iam::000000000000:role/theirs"
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": theirs}])
    assert bootstrap.let_gateway_log(account) is None
    assert gateway.get_account()["cloudwatchRoleArn"] == theirs


def test_a_stack_with_only_an_unused_change_set_does_not_count_as_existing(cloud: MiniStack, stack: str) -> None:
    cloud.client("cloudformation").create_change_set(
        StackName=stack,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    assert Stack(current_account(), stack).check() is False
