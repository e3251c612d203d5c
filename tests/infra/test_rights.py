"""The rights of each function: how the tests see what is used, and what is used on AWS alone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest

import app as moonbase
from chalicelib import settings
from chalicelib.core import accounts, blobs, credentials, jobs, two_factor
from chalicelib.core import aws as services
from chalicelib.core.catalogue import FOLD_EVERY, Catalogue
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim
from chalicelib.hel import users
from infra.stages import ROOT
from tests import rights
from tests.client import Client
from tests.luadns.conftest import key_for
from tests.luarocks.conftest import rock, rockspec
from tests.rights import API, CLOCK, QUEUE, Right
from tests.web.gateway_events import sample

BOTH = (CLOCK, QUEUE)
on_aws = pytest.mark.parametrize("aws", ["moto"], indirect=True)
Found = set[tuple[str, str]]


@jobs.handles("test-rights")
def handle(payload: Any) -> None:
    Claim("name#x", "claim", holder="1").save()


@pytest.fixture
def queue(aws: None) -> Iterator[None]:
    """The stack's queue, in which every promise leaves a message."""
    url = services.client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    with settings.override(queue=url):
        yield


def used(deed: Callable[[], object], *functions: str) -> Found:
    """The rights that something uses, the same for each of these functions, and none for another."""
    rights.latest()
    deed()
    found = rights.latest()
    assert {right.function for right in found} == set(functions)
    whose = [{right[1:] for right in found if right.function == function} for function in functions]
    assert all(one == whose[0] for one in whose)
    assert rights.refused(found) == []
    return whose[0]


def test_a_request_uses_rights_of_the_api(client: Client, key: str) -> None:
    assert used(lambda: client.get(f"/api/1/{key}/status"), API) == {
        ("dynamodb:GetItem", "CoreTable.Arn"),
        ("dynamodb:UpdateItem", "CoreTable.Arn"),
    }


def test_what_a_test_prepares_or_the_command_line_does_uses_nobodys(aws: None) -> None:
    rights.latest()
    credentials.create(accounts.create("Carol", "carol@example.org"), "luarocks")
    blobs.put(b"x", "luarocks")
    assert rights.latest() == set()


def test_a_transaction_uses_the_rights_to_what_it_does(client: Client, key: str) -> None:
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


@on_aws
def test_who_signs_a_form_or_a_link_needs_the_right_to_what_it_allows(client: Client, key: str) -> None:
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


@on_aws
def test_to_be_told_that_an_object_is_missing_is_a_right_of_its_own(client: Client, key: str) -> None:
    version = client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())}).json["version"]["id"]
    slot = client.post(f"/api/1/{key}/upload_slot").json["upload"]
    form = {"upload": slot, "filename": "say-1.0-1.src.rock"}
    found = used(lambda: client.post(f"/api/1/{key}/upload_rock/{version}", form=form), API)
    assert {("s3:GetObject", "Blobs.Arn/slots/..."), ("s3:ListBucket", "Blobs.Arn")} < found


def test_jobs_are_promised_by_the_clock_and_done_by_both(aws: None) -> None:
    assert used(jobs.enqueue_repeats, CLOCK) == {
        ("dynamodb:PutItem", "CoreTable.Arn"),
        ("dynamodb:UpdateItem", "CoreTable.Arn"),
    }
    assert ("dynamodb:PutItem", "ContentDbTable.Arn") in used(lambda: moonbase.wake_jobs(sample("sqs"), None), *BOTH)


def test_the_handler_of_a_test_uses_nobodys(aws: None) -> None:
    writes = Transaction()
    jobs.enqueue(writes, "test-rights", None)
    writes.commit()
    assert used(jobs.run_due, *BOTH) == {
        ("dynamodb:Query", "CoreTable.Arn"),
        ("dynamodb:UpdateItem", "CoreTable.Arn"),
        ("dynamodb:DeleteItem", "CoreTable.Arn"),
    }


@on_aws
def test_whoever_promises_wakes_the_queue(client: Client, alice: Account, queue: None) -> None:
    dns = key_for(client, alice)
    with settings.override(luadns_engine="route53"):
        assert ("sqs:SendMessage", "JobsQueue.Arn") in used(dns.zone, API)
    assert ("sqs:SendMessage", "JobsQueue.Arn") in used(jobs.enqueue_repeats, CLOCK)
    Catalogue.named["hel-users"].rebuild(after=FOLD_EVERY - 2)  # the next change promises a fold
    accounts.create("Dave", "dave@example.org")
    assert ("sqs:SendMessage", "JobsQueue.Arn") in used(users.refresh, *BOTH)


@on_aws
def test_a_second_factor_is_opened_by_the_api(client: Client, alice: Account, key: str) -> None:
    enrolment = two_factor.enable(alice)
    form = {"code": pyotp.TOTP(enrolment.secret).now()}
    assert ("kms:Decrypt", "SecretsKey.Arn") in used(lambda: client.post(f"/api/1/{key}/verify_tfa", form=form), API)


def test_what_no_policy_grants_is_refused() -> None:
    beyond = [
        Right(API, "dynamodb:Scan", "CoreTable.Arn"),
        Right(API, "dynamodb:Query", "LuaRocksTable.Arn/index/x"),
        Right(CLOCK, "kms:Decrypt", "SecretsKey.Arn"),
        Right(CLOCK, "sqs:ReceiveMessage", "JobsQueue.Arn"),
        Right(QUEUE, "s3:PutObject", "Code.Arn/luarocks/..."),
    ]
    granted = Right(API, "dynamodb:Query", "CoreTable.Arn")
    assert rights.refused({granted, *beyond}) == sorted(beyond)


def test_what_nobody_uses_is_idle() -> None:
    everything = {right._replace(resource=right.resource.replace("*", "x")) for right in rights.granted()}
    unused = Right(API, "dynamodb:Query", "CoreTable.Arn")
    assert rights.idle(everything) == []
    assert rights.idle(everything - {unused}) == [unused]


def test_the_platform_has_what_it_needs() -> None:
    assert rights.refused(rights.by_the_platform()) == []


def test_a_whole_run_fails_when_more_is_granted_than_was_used() -> None:
    """Here `tests/home` is all there is, and its tests use one right."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "-o", "testpaths=tests/home"]
    whole = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert whole.returncode == pytest.ExitCode.TESTS_FAILED
    assert "policy-api.json: kms:Decrypt on SecretsKey.Arn" in whole.stdout
    assert "policy-api.json: dynamodb:GetItem on CoreTable.Arn" not in whole.stdout
