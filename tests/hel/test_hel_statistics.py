"""The views and downloads of a package by day."""

from datetime import UTC, datetime, timedelta

import time_machine

from chalicelib.core import job_runner
from tests.client import Client
from tests.hel.builders import Create, package, success
from tests.worlds import both_worlds

pytestmark = both_worlds


def test_views_are_shown_by_day(client: Client, create: Create) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        create(package("thing"))
        job_runner.run_now("hel-counts")
        for _ in range(2):
            client.get("/packages/thing")
        job_runner.run_now("hel-counts")
        clock.shift(timedelta(days=1))
        job_runner.run_now("store-days")
        reply = client.get("/hel/statistics/thing")
        assert (reply.status, reply.json) == (200, success({"views": {"2026-03-01": 2}, "downloads": {}}))
    assert client.get("/hel/statistics/none").status == 404
