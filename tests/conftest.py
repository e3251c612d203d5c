"""Fixtures of all tests: a world, a client, accounts, and the AWS calls of a test."""

import math
import os

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore
import hypothesis
import pytest

from chalicelib.core.catalogues import counters
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account

pytest.register_assert_rewrite("tests")  # a failing assert in a helper module also shows both values

from tests import actions, aws_calls, people, rights  # noqa: E402
from tests.client import Client  # noqa: E402
from tests.worlds import EMBEDDED, WORLDS, world  # noqa: E402

# CI uses the same examples in each run; developers' machines find new failing ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

aws_calls.listen(rights.record_call)
aws_calls.listen(actions.record_call)
botocore.register_initializer(rights.listen)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--worlds", choices=("default", "all"), default="default", help="all: every test in both worlds")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs in the worlds of its mark. Without one it runs in the embedded world, and in both if it counts calls
    or with `--worlds all`."""
    if "aws" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("worlds")
        both = "calls" in metafunc.fixturenames or metafunc.config.getoption("worlds") == "all"
        metafunc.parametrize("aws", mark.args if mark else WORLDS if both else [EMBEDDED], indirect=True)


@pytest.fixture
def aws(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Empty tables and an empty blob store, in one of the worlds."""
    with world(request.param, tmp_path):
        yield


@pytest.fixture
def client(aws: None) -> Client:
    """A client of the whole app."""
    return Client()


@pytest.fixture
def alice(aws: None) -> Account:
    """An account with the password `wonderland`."""
    return people.register("Alice", "alice@example.org", "wonderland")


@pytest.fixture
def bob(aws: None) -> Account:
    """Another account, with the password `builder`."""
    return people.register("bob", "bob@example.org", "builder")


@pytest.fixture
def key(alice: Account) -> str:
    """Alice's LuaRocks key."""
    return credentials.create(alice, "luarocks")[1]


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The names of the AWS operations called since the last `calls.clear()`."""
    names: list[str] = []
    with aws_calls.listening(lambda call: names.append(call.operation)):
        yield names


def _with_deep_stack(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


# CPython keeps frames in chunks of 16 KB. A loop whose calls cross the end of a chunk allocates and frees one for each
# call, which can double the time of a test. Frames above a large one share a chunk of half a megabyte.
_with_deep_stack.__code__ = _with_deep_stack.__code__.replace(co_stacksize=2**16)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    runner: Any = item.config.pluginmanager.get_plugin("runner")
    return _with_deep_stack(runner.pytest_runtest_protocol, item, nextitem)


@pytest.fixture(autouse=True)
def _without_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the number of calls not depend on the speed of this machine: jobs in the same process publish at once."""
    monkeypatch.setattr(counters, "FOLLOW_EVERY", math.inf)


@pytest.fixture(autouse=True)
def _within_their_rights() -> Iterator[None]:
    """Fail a test in which a function makes a call that its policy does not grant."""
    rights.drain()
    yield
    assert rights.missing(rights.drain()) == []


@pytest.fixture(autouse=True)
def _every_action_has_a_phrase() -> Iterator[None]:
    """Fail a test in which an entry of the audit log has an action for which no slice declares a phrase."""
    actions.drain()
    yield
    assert actions.drain() == set()


# A run of the whole suite fails if a policy grants a right that no test needed. Each process of pytest-xdist sends its
# used rights to the first one.
_CHOICES = ("collectonly", "deselect", "ignore", "ignore_glob", "keyword", "lf", "markexpr", "stepwise")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    rights.used.update(rights.Right(*right) for right in getattr(node, "workeroutput", {}).get("rights", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["rights"] = [list(right) for right in rights.used]
    elif session.exitstatus == pytest.ExitCode.OK and rights.unneeded(rights.used) and _is_whole(config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _is_whole(config) and (unneeded := rights.unneeded(rights.used)):
        terminalreporter.section("granted rights that no test needed")
        for right in unneeded:
            terminalreporter.line(f"{rights.policy_file(right.function).name}: {right.action} on {right.resource}")


def _is_whole(config: pytest.Config) -> bool:
    return config.args == config.getini("testpaths") and not any(config.getoption(choice, None) for choice in _CHOICES)
