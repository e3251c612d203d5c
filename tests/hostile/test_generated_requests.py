"""Generated hostile requests to all routes: no internal error, no broken envelope, no secret, and no costly request.

`python -m bench.hostile` sends many more of them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib import settings
from tests.hostile import generator, siege, store
from tests.hostile.siege import Findings
from tests.worlds import world

STORES, REQUESTS, SEED = 2, 1500, 16
MOST_SECONDS = 2.0  # of CPU for one request
MOST_MEMORY = 200.0  # MB that the requests may add to this process's peak


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    found = Findings()
    with world("embedded", tmp_path_factory.mktemp("hostile")), settings.override(**store.SETTINGS):
        for number in range(STORES):
            filled = store.fill(number)
            before = siege.peak_memory()
            siege.besiege(filled, generator.requests(filled, SEED, REQUESTS), found)
            found.memory = max(found.memory, siege.peak_memory() - before)
    return found


def test_hostile_requests_cause_no_internal_error_and_reveal_nothing(findings: Findings) -> None:
    assert findings.requests == STORES * REQUESTS
    assert findings.problems == []


def test_hostile_requests_are_cheap(
    findings: Findings, record_testsuite_property: Callable[[str, object], None]
) -> None:
    record_testsuite_property("slowest", findings.slowest)
    record_testsuite_property("memory", findings.memory)
    assert findings.slowest[0] < MOST_SECONDS, findings.slowest
    assert findings.memory < MOST_MEMORY


def test_hostile_requests_reach_the_handlers(findings: Findings) -> None:
    """A generator whose requests are all refused would find nothing."""
    succeeded = sum(count for status, count in findings.statuses.items() if status < 400)
    assert succeeded > findings.requests / 4
    assert len(findings.reached) > len(generator.routes()) / 2


def test_the_same_seed_gives_the_same_requests(tmp_path: Path) -> None:
    with world("embedded", tmp_path), settings.override(**store.SETTINGS):
        filled = store.fill()
        first, second = ([str(each) for each in generator.requests(filled, 1, 200)] for _ in range(2))
    assert first == second
