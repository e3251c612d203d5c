"""Last-Modified of manifests and files while they change, for clients that compare dates: wget, LuaSocket and lux."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random

import pytest
import time_machine

from tests.client import Client, Reply
from tests.luarocks.builders import Upload, rock, rockspec

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MANIFESTS = ["/manifest-5.1", "/manifest-5.1.zip", "/manifest-5.1.json", "/manifests/alice/manifest"]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(MOMENT, tick=False) as clock:
        yield clock


def date_of(reply: Reply) -> datetime | None:
    text = reply.header("last-modified")
    return parsedate_to_datetime(text) if text else None


@pytest.mark.parametrize("path", [*MANIFESTS, "/say-1.0-1.rockspec", "/say-1.0-1.src.rock"])
def test_a_date_is_sent_two_seconds_after_the_change(
    client: Client, upload: Upload, upload_rock: Upload, clock: time_machine.Traveller, path: str
) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock")
    for seconds, date in ((0, None), (1.9, None), (0.1, 2), (600, 2)):
        clock.shift(seconds)
        expected = None if date is None else MOMENT + timedelta(seconds=date)
        assert [date_of(client.get(path)), date_of(client.head(path))] == [expected] * 2, seconds


@pytest.mark.parametrize("path", MANIFESTS)
def test_many_changes_in_a_row_do_not_push_the_date_ahead(
    client: Client, upload: Upload, clock: time_machine.Traveller, path: str
) -> None:
    for number in range(30):
        upload(rockspec(version=f"1.{number}-1"))
    clock.shift(2)
    assert date_of(client.get(path)) == MOMENT + timedelta(seconds=2)
    for _ in range(30):
        upload(rockspec(version="1.0-1"))
    clock.shift(2)
    assert date_of(client.get(path)) == date_of(client.get("/say-1.0-1.rockspec")) == MOMENT + timedelta(seconds=4)


def test_a_conditional_request_is_answered_by_the_date(
    client: Client, upload: Upload, clock: time_machine.Traveller
) -> None:
    upload()
    clock.shift(2)
    known = {"If-Modified-Since": str(client.get("/manifest").header("last-modified"))}
    assert client.get("/manifest", headers=known).status == 304
    upload(rockspec(version="2.0-1"))
    assert client.get("/manifest", headers=known).status == 200
    clock.shift(2)
    assert client.get("/manifest", headers=known).status == 200


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", ["/manifest.json", "/say-1.0-1.src.rock"])
def test_no_two_states_have_one_date_and_no_copy_hides_a_change(
    client: Client, upload: Upload, upload_rock: Upload, clock: time_machine.Traveller, seed: int, path: str
) -> None:
    random, dates, kept, kept_at = Random(seed), dict[datetime, bytes](), b"", MOMENT
    upload()
    for number in range(120):
        clock.shift(random.choice((0, 0.1, 0.3, 0.7, 1.0, 1.5, 3)))
        if random.random() < 0.4:
            upload(rockspec(version=f"2.{number}-1"))
            upload_rock(1, "say-1.0-1.src.rock", rock(payload=str(number)))
        reply, moment = client.get(path), datetime.now(UTC)
        date = date_of(reply)
        if date:
            assert date <= moment
            assert dates.setdefault(date, reply.body) == reply.body
        if date and kept and date <= kept_at:  # lux keeps its copy
            assert kept == reply.body
        elif random.random() < 0.5:
            kept, kept_at = reply.body, moment
