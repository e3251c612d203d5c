"""The rights of each function: how the tests record the rights that are used, also those that only AWS needs."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest

import app as moonbase
from chalicelib import settings
from chalicelib.core import aws as services
from chalicelib.core import blobs, job_runner, jobs, registry
from chalicelib.core.catalogues.catalogue import FOLD_EVERY
from chalicelib.core.declaration import Declaration, JobHandler
from chalicelib.core.identity import accounts, credentials, two_factor
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim
from chalicelib.hel import users
from infra.stages import ROOT
from tests import rights
from tests.client import Client
from tests.luadns.api import key_for
from tests.luarocks.builders import rock, rockspec
from tests.rights import API, CLOCK, QUEUE, Right
from tests.web.gateway_events import sample
from tests.worlds import both_worlds, moto_only

pytestmark = both_worlds

BOTH = (CLOCK, QUEUE)
Found = set[tuple[str, str]]


def handle(payload: Any) -> None:
    Claim("name#x", "claim", holder="1").save()


@pytest.fixture
def queue(aws: None) -> Iterator[None]:
    """The stack's queue, which gets a message for every enqueued job."""
    url = services.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    with settings.override(queue=url):
        yield


def used(action: Callable[[], object], *functions: str) -> Found:
    """The rights that an action uses; they must be the same for each of these functions, and none for another."""
    rights.drain()
    action()
    found = rights.drain()
    assert {right.function for right in found} == set(functions)
    whose = [{right[1:] for right in found if right.function == function} for function in functions]
    assert all(one == whose[0] for one in whose)
    assert rights.missing(found) == []
    return whose[0]


def test_a_request_uses_rights_of_the_api(client: Client, key: str) -> None:
    assert used(lambda: client.get(f"/api/1/{key}/status"), API) == {
        ("dynamodb:GetItem", "CoreTable.Arn"),
        ("dynamodb:UpdateItem", "CoreTable.Arn"),
    }


def test_calls_of_a_test_or_of_the_command_line_belong_to_no_function(aws: None) -> None:
    rights.drain()
    credentials.create(accounts.create("Carol", "carol@example.org"), "luarocks")
    blobs.put(b"x", "luarocks")
    assert rights.drain() == set()


def test_a_transaction_uses_the_rights_to_its_writes(client: Client, key: str) -> None:
    def upload() -> None:
        client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())})

    found = used(upload, API)
    assert {("dynamodb:PutItem", "LuaRocksTable.Arn"), ("dynamodb:UpdateItem", "CoreTable.Arn")} < found
    assert not any("Transact" in action for action, _ in found)


def test_an_index_is_a_resource_of_its_own(client: Client, alice: Account) -> None:
    dns = key_for(client, alice)
    assert used(lambda: dns.get("/zones"), API) >= {
        ("dynamodb:Query", "LuaDnsTable.Arn/index/zones"),
        ("dynamodb:GetItem", "CoreTable.Arn"),
    }


@moto_only
def test_signing_a_form_or_a_link_needs_the_right_to_the_signed_action(client: Client, key: str) -> None:
    slot = used(lambda: client.post(f"/api/1/{key}/upload_slot"), API)
    assert ("s3:PutObject", "Blobs.Arn/slots/...") in slot
    version = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())}).json["version"]["id"]
    client.post(f"/api/1/{key}/upload_rock/{version}", files={"rock_file": ("say-1.0-1.src.rock", rock())})
    with settings.override(max_answer=1):
        for method in ("GET", "HEAD"):
            linked = used(lambda method=method: client.request(method, "/say-1.0-1.src.rock"), API)
            assert [right for right in linked if right[0].startswith("s3:")] == [
                ("s3:GetObject", "Blobs.Arn/luarocks/...")
            ]


@moto_only
def test_a_404_for_a_missing_object_needs_a_right_of_its_own(client: Client, key: str) -> None:
    version = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())}).json["version"]["id"]
    slot = client.post(f"/api/1/{key}/upload_slot").json["upload"]
    form = {"upload": slot, "filename": "say-1.0-1.src.rock"}
    found = used(lambda: client.post(f"/api/1/{key}/upload_rock/{version}", form=form), API)
    assert {("s3:GetObject", "Blobs.Arn/slots/..."), ("s3:ListBucket", "Blobs.Arn")} < found


def test_repeating_jobs_are_enqueued_by_the_scheduled_function_and_run_by_both(aws: None) -> None:
    assert used(job_runner.enqueue_repeats, CLOCK) == {
        ("dynamodb:PutItem", "CoreTable.Arn"),
        ("dynamodb:UpdateItem", "CoreTable.Arn"),
    }
    assert ("dynamodb:PutItem", "ContentDbTable.Arn") in used(lambda: moonbase.wake_jobs(sample("sqs"), None), *BOTH)


def test_the_calls_of_a_tests_own_handler_belong_to_no_function(aws: None) -> None:
    writes = Transaction()
    jobs.enqueue(writes, "test-rights", None)
    writes.commit()
    with registry.including(Declaration(name="test", jobs=(JobHandler("test-rights", handle),))):
        assert used(job_runner.run_due, *BOTH) == {
            ("dynamodb:Query", "CoreTable.Arn"),
            ("dynamodb:UpdateItem", "CoreTable.Arn"),
            ("dynamodb:DeleteItem", "CoreTable.Arn"),
        }


@moto_only
def test_enqueuing_a_job_sends_a_message(client: Client, alice: Account, queue: None) -> None:
    dns = key_for(client, alice)
    with settings.override(luadns_engine="route53"):
        assert ("sqs:SendMessage", "JobsQueue.Arn") in used(dns.zone, API)
    assert ("sqs:SendMessage", "JobsQueue.Arn") in used(job_runner.enqueue_repeats, CLOCK)
    registry.current().catalogues["hel-users"].rebuild(after=FOLD_EVERY - 2)  # the next change enqueues a fold
    accounts.create("Dave", "dave@example.org")
    assert ("sqs:SendMessage", "JobsQueue.Arn") in used(users.refresh, *BOTH)


@moto_only
def test_the_api_unseals_a_second_factor(client: Client, alice: Account, key: str) -> None:
    enrolment = two_factor.enable(alice)
    form = {"code": pyotp.TOTP(enrolment.secret).now()}
    assert ("kms:Decrypt", "SecretsKey.Arn") in used(lambda: client.post(f"/api/1/{key}/verify_tfa", form=form), API)


def test_rights_that_no_policy_grants_are_refused() -> None:
    beyond = [
        Right(API, "dynamodb:Scan", "CoreTable.Arn"),
        Right(API, "dynamodb:Query", "LuaRocksTable.Arn/index/x"),
        Right(CLOCK, "kms:CreateKey", "SecretsKey.Arn"),
        Right(CLOCK, "sqs:ReceiveMessage", "JobsQueue.Arn"),
        Right(QUEUE, "s3:PutObject", "Code.Arn/luarocks/..."),
    ]
    granted = Right(API, "dynamodb:Query", "CoreTable.Arn")
    assert rights.missing({granted, *beyond}) == sorted(beyond)


def test_granted_rights_that_were_not_used_are_idle() -> None:
    everything = {right._replace(resource=right.resource.replace("*", "x")) for right in rights.granted()}
    unused = Right(API, "dynamodb:Query", "CoreTable.Arn")
    assert rights.unneeded(everything) == []
    assert rights.unneeded(everything - {unused}) == [unused]


def test_the_policies_grant_what_the_platform_needs() -> None:
    assert rights.missing(rights.platform_rights()) == []


def test_a_whole_run_fails_if_a_granted_right_was_not_used() -> None:
    """Here the whole run is `tests/home`, whose tests use one right."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "-o", "testpaths=tests/home"]
    whole = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert whole.returncode == pytest.ExitCode.TESTS_FAILED
    assert "policy-api.json: kms:Decrypt on SecretsKey.Arn" in whole.stdout
    assert "policy-api.json: dynamodb:GetItem on CoreTable.Arn" not in whole.stdout
