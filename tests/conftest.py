"""The fixtures: a world to run in, a client, accounts, and a count of AWS calls."""

import os

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore
import hypothesis
import pytest

from chalicelib.core import credentials
from chalicelib.core.tables import Account
from tests import people, rights
from tests.client import Client
from tests.worlds import WORLDS, world

# In CI the same examples each time: a new one that fails is found at a desk, where it can be looked at.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

_counted: list[str] = []
_planned: list[tuple[int, Callable[[], object]]] = []  # what happens before the AWS call that follows so many others


class Died(BaseException):
    """What stands for the sudden end of the process."""


def _note(model: Any, **_: Any) -> None:
    if _planned:
        left, happen = _planned.pop()
        if left:
            _planned.append((left - 1, happen))
        else:
            happen()
    _counted.append(model.name)


botocore.register_initializer(lambda session: session.register("provide-client-params", _note))
botocore.register_initializer(rights.listen)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test runs in the worlds of its mark; without one in both."""
    if "aws" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("worlds")
        metafunc.parametrize("aws", mark.args if mark else WORLDS, indirect=True)


@pytest.fixture
def aws(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Empty tables and an empty place for blobs, in one of the worlds."""
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


def dies(work: Callable[[], object], after: int) -> bool:
    """Whether the process dies in the middle of some work, before the AWS call that follows so many others."""

    def die() -> None:
        _planned.append((0, die))  # the dead do not tidy up
        raise Died

    try:
        with meanwhile(die, after):
            work()
    except Died:
        return True
    return False


@contextmanager
def meanwhile(happen: Callable[[], object], after: int) -> Iterator[None]:
    """Let something happen before the AWS call that follows so many others in the block."""
    _planned[:] = [(after, happen)]
    try:
        yield
    finally:
        _planned.clear()


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The names of the AWS operations called since the last `calls.clear()`."""
    _counted.clear()
    yield _counted
    _counted.clear()


@pytest.fixture(autouse=True)
def _within_their_rights() -> Iterator[None]:
    """A test fails in which a function asks of AWS what its policy does not grant."""
    rights.latest()
    yield
    assert rights.refused(rights.latest()) == []


# A run of the whole suite fails when a policy grants what no test needed. Each process of pytest-xdist tells the first
# one what its tests used.
_CHOICES = ("collectonly", "deselect", "ignore", "ignore_glob", "keyword", "lf", "markexpr", "stepwise")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    rights.used.update(rights.Right(*right) for right in getattr(node, "workeroutput", {}).get("rights", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["rights"] = [list(right) for right in rights.used]
    elif session.exitstatus == pytest.ExitCode.OK and rights.idle(rights.used) and _is_whole(config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _is_whole(config) and (idle := rights.idle(rights.used)):
        terminalreporter.section("granted, and needed by no test")
        for right in idle:
            terminalreporter.line(f"{rights.policy_file(right.function).name}: {right.action} on {right.resource}")


def _is_whole(config: pytest.Config) -> bool:
    return config.args == config.getini("testpaths") and not any(config.getoption(choice, None) for choice in _CHOICES)
