"""Downloads: the redirect to the zip, the clients that count, the statistics, and the AWS calls."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from chalicelib.contentdb.statistics import booking, counting
from chalicelib.contentdb.statistics.series import COUNTED
from chalicelib.contentdb.statistics.tables import DailyStats, PackageTally, Secret, Seen
from chalicelib.contentdb.store import index, popularity, scores
from chalicelib.contentdb.store.tables import ContentDbItem, Counters
from chalicelib.core import job_runner
from chalicelib.core.tables import Account
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft
from tests.contentdb.files import MOD, fetched, released, zipped
from tests.worlds import moto_only

LUANTI = "Luanti/5.17.0 (Linux/6.1 x86_64)"
PATH = "/packages/Alice/mymod/releases/1/download/"
DAY = "2026-03-01"


@pytest.fixture(autouse=True)
def _released(client: Client, bearer: dict[str, str], alice: Account) -> None:
    draft("Alice/mymod")
    released(client, "Alice/mymod", bearer, zipped(MOD))
    change("Alice/mymod", state="APPROVED", aliases=["Alice/oldmod"])
    counting._key.cache_clear()


def get(
    client: Client, path: str = PATH, agent: str | None = LUANTI, address: str = "203.0.113.7", **more: Any
) -> Reply:
    from tests.client import _event

    headers = {**client.headers, **({"User-Agent": agent} if agent is not None else {}), **more.pop("headers", {})}
    event = _event(more.pop("method", "GET"), path, more.pop("query", ""), headers, b"")
    event["requestContext"]["identity"]["sourceIp"] = address
    return client.answer(event)


def stats() -> list[tuple[str, dict[str, int]]]:
    """Book the tallies; return the statistics by day, without zeros."""
    booking.book()
    days = DailyStats.query("stats#1")
    return [(day.sk, {name: int(getattr(day, name)) for name in COUNTED if getattr(day, name)}) for day in days]


def counted() -> tuple[int, float]:
    """Book the tallies; return the package's downloads and their score."""
    booking.book()
    counters = Counters.get("package#1", "counters")
    return int(counters.downloads), float(counters.score_downloads)


def test_a_download_is_a_redirect_to_the_zip(client: Client) -> None:
    for path in (PATH, PATH.rstrip("/"), "/packages/Alice/mymod/download/"):
        reply = get(client, path)
        assert (reply.status, reply.body) == (302, b"")
        assert fetched(client, path)[:4] == b"PK\x03\x04"


def test_an_alias_redirects_to_the_zip_in_at_most_three_steps_and_keeps_the_reason(client: Client) -> None:
    reply = client.get("/packages/Alice/oldmod/releases/1/download/", query="reason=update")
    assert (reply.status, reply.header("Location")) == (302, f"http://moonbase.test{PATH}?reason=update")
    assert fetched(client, "/packages/Alice/oldmod/releases/1/download/", hops=3)[:2] == b"PK"


def test_a_head_request_is_answered_and_not_counted(client: Client) -> None:
    reply = get(client, method="HEAD")
    assert (reply.status, reply.body) == (302, b"")
    assert list(PackageTally.scan()) == []


@moto_only
def test_the_link_to_s3_is_signed_for_the_clients_method(client: Client) -> None:
    location = get(client).header("Location") or ""
    assert "mymod_1.zip" in location
    assert location != get(client, method="HEAD").header("Location")


@pytest.mark.parametrize(
    "path",
    [
        "/packages/Alice/mymod/releases/99/download/",
        "/packages/Alice/mymod/releases/x/download/",
        "/packages/Alice/mymod/releases/99999999999999/download/",
        "/packages/Alice/nothing/releases/1/download/",
        "/packages/Alice/nothing/download/",
    ],
)
def test_a_missing_release_or_package_is_not_found(client: Client, path: str) -> None:
    reply = get(client, path)
    assert (reply.status, reply.json["success"]) == (404, False)


def test_a_release_of_another_package_is_not_found(client: Client) -> None:
    draft("Alice/other")
    assert get(client, "/packages/Alice/other/releases/1/download/").status == 404


@pytest.mark.parametrize(("accept", "status"), [("application/zip", 204), ("text/html,*/*", 302), ("", 302)])
def test_a_package_without_a_release_redirects_browsers_to_its_page(client: Client, accept: str, status: int) -> None:
    draft("Alice/other")
    reply = get(client, "/packages/Alice/other/download/", headers={"Accept": accept})
    assert reply.status == status
    assert reply.header("Location") == ("http://moonbase.test/packages/Alice/other/" if status == 302 else None)


def test_a_download_counts_for_the_release_the_package_the_score_and_lists(client: Client) -> None:
    get(client, query="reason=new")
    assert client.get("/api/packages/Alice/mymod/releases/1").json["downloads"] == 0
    assert counted() == (1, 1.0)
    assert client.get("/api/packages/Alice/mymod/releases/1").json["downloads"] == 1
    value = scores.counted(index.catalogue.snapshot().entries["Alice/mymod"].value)
    assert (value.downloads, value.score_downloads) == (1, 1.0)


@pytest.mark.parametrize(
    ("reason", "points", "counters"),
    [
        ("new", 1.0, {"reason_new": 1}),
        ("dependency", 0.5, {"reason_dependency": 1}),
        ("update", 0.5, {"reason_update": 1}),
        ("because", 0.0, {}),
        ("", 0.0, {}),
    ],
)
def test_the_reason_determines_the_score(client: Client, reason: str, points: float, counters: dict[str, int]) -> None:
    with time_machine.travel(f"{DAY}T12:00:00Z", tick=False):
        get(client, query=f"reason={reason}" if reason else "")
        assert stats() == [(DAY, {"platform_minetest": 1, **counters})]
    assert counted() == (1, points)


@pytest.mark.parametrize(
    ("agent", "platform"),
    [
        (LUANTI, "platform_minetest"),
        ("Luanti", "platform_minetest"),
        ("Minetest/5.6.1 (Windows)", "platform_minetest"),
        ("curl/8.0", "platform_other"),
        ("Mozilla/5.0 Luanti", "platform_other"),
    ],
)
def test_the_platform_comes_from_the_user_agent(client: Client, agent: str, platform: str) -> None:
    get(client, agent=agent)
    assert stats()[0][1] == {platform: 1}


@pytest.mark.parametrize(
    "agent",
    [None, "", "Googlebot/2.1 (+http://www.google.com/bot.html)", "Mozilla/5.0 (compatible; bingbot/2.0)", "x Crawler"],
)
def test_bots_and_clients_without_a_user_agent_do_not_count(client: Client, agent: str | None) -> None:
    assert get(client, agent=agent).status == 302
    assert list(PackageTally.scan()) == []


def test_a_client_without_an_address_does_not_count(client: Client) -> None:
    assert get(client, address="").status == 302
    assert list(PackageTally.scan()) == []


def test_a_client_counts_once_in_fourteen_days(client: Client) -> None:
    with time_machine.travel(f"{DAY}T12:00:00Z", tick=False) as clock:
        get(client)
        clock.shift(timedelta(days=13))
        get(client)
        assert counted()[0] == 1
        clock.shift(timedelta(days=1))  # the fourteen days start at the first download
        get(client)
        assert counted()[0] == 2
        assert [day for day, _ in stats()] == [DAY, "2026-03-14", "2026-03-15"]


def test_other_clients_and_other_packages_count_separately(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/other")
    number = released(client, "Alice/other", bearer, zipped({**MOD, "mod.conf": "name = other"}))
    for address in ("203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        get(client, address=address)
    get(client, f"/packages/Alice/other/releases/{number}/download/")
    assert counted()[0] == 4  # two addresses of one /64 are one client
    assert int(Counters.get("package#2", "counters").downloads) == 1


def test_no_address_is_stored(client: Client, calls: list[str]) -> None:
    get(client)
    (seen,) = (item for item in ContentDbItem.scan() if isinstance(item, Seen))
    stored = str([item.serialize() for item in ContentDbItem.scan()])
    assert "203.0.113.7" not in stored
    assert len(seen.pk.split("#")[2]) == 32
    assert len(Secret.get("secret#downloads", "secret").sealed) > 64
    assert seen.expires_at > datetime.now(UTC) + timedelta(days=13)


def test_all_processes_hash_with_the_same_key(client: Client) -> None:
    get(client)
    counting._key.cache_clear()
    get(client)
    assert len([item for item in ContentDbItem.scan() if isinstance(item, Seen)]) == 1


def test_the_downloads_of_a_package_are_spread_over_shards(client: Client) -> None:
    for number in range(64):
        get(client, address=f"203.0.113.{number}")
    spread = Counter({tally.pk: int(tally.hits) for tally in PackageTally.scan()})
    assert (sum(spread.values()), len(spread)) == (64, counting.SHARDS)
    assert counted()[0] == 64


def test_a_download_is_booked_once(client: Client) -> None:
    get(client)
    assert [counted(), counted()] == [(1, 0.0), (1, 0.0)]
    assert list(PackageTally.scan()) == []


def test_a_tally_that_changes_during_booking_is_booked_next_time(client: Client) -> None:
    get(client)
    (before,) = PackageTally.scan()
    get(client)
    with pytest.raises(Exception, match="Another request is changing the same data"):
        booking._book(before.sk[:10], 1, 1, [before])
    assert counted()[0] == 1
    assert stats()[0][1]["platform_minetest"] == 2


def test_downloads_of_a_deleted_release_still_count_for_the_package(client: Client, bearer: dict[str, str]) -> None:
    released(client, "Alice/mymod", bearer, zipped(MOD))
    get(client)
    client.request("DELETE", "/api/packages/Alice/mymod/releases/1/", headers=bearer)
    assert counted()[0] == 1
    assert [release["id"] for release in client.get("/api/packages/Alice/mymod/releases/").json] == [2]


def test_a_repeating_job_books_the_downloads(client: Client) -> None:
    get(client, query="reason=new")
    job_runner.enqueue_repeats()
    job_runner.run_due()
    assert popularity.of(1).downloads == 1


def test_a_download_adds_to_the_points_that_are_left(client: Client) -> None:
    with time_machine.travel(f"{DAY}T12:00:00Z", tick=False) as clock:
        get(client, query="reason=new")
        assert counted() == (1, 1)
        clock.shift(3 * 86400)
        get(client, address="203.0.113.8", query="reason=new")
        assert counted() == (2, 1 + 0.93**3)


def test_counting_changes_no_entry(client: Client) -> None:
    before = index.catalogue.snapshot().sequence
    get(client, query="reason=new")
    counted()
    assert (index.catalogue.snapshot().sequence, popularity.of(1).downloads) == (before, 1)


@pytest.mark.parametrize("count", [10, 600])
def test_a_download_costs_four_calls_with_any_number_of_packages(
    client: Client, calls: list[str], fill_catalogue: Any, count: int
) -> None:
    get(client)
    entry = index.catalogue.snapshot().entries["Alice/mymod"].value
    fill_catalogue(count)
    index.catalogue.publish(lambda snapshot, writes: ({"Alice/mymod": entry}, None))
    index.catalogue.snapshot()
    calls.clear()
    assert get(client).status == 302
    charged = [call for call in calls if call != "GetObject"]  # signing a link makes no call to AWS
    assert charged == ["Query", "GetItem", "UpdateItem", "UpdateItem"]
