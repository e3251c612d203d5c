"""Statistics of packages, users and all packages: days, months, compaction, and AWS calls."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
import time_machine

from chalicelib.contentdb.statistics import compaction, counting, history
from chalicelib.contentdb.statistics.series import COUNTED
from chalicelib.contentdb.statistics.tables import Booked, Compacted, DailyStats, MonthlyStats, PackageTally, UserStats
from chalicelib.contentdb.store import index, popularity
from chalicelib.core import job_runner, jobs
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.identity import accounts
from chalicelib.core.storage import Contended, Transaction
from chalicelib.core.tables import Account
from tests.aws_calls import dies, meanwhile
from tests.client import Client
from tests.contentdb.builders import NO_SUCH_PAGE, change, count, draft, malformed, published, refusal
from tests.worlds import both_worlds

TODAY = "2026-03-10"
PATH = "/api/packages/Alice/lamps/stats/"
COMPACT = "contentdb-compact-statistics"
Numbers = Mapping[str, int]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Stop the clock at noon; yields the clock."""
    with time_machine.travel(f"{TODAY}T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def lamps(alice: Account) -> int:
    """The id of an approved package."""
    published("Alice/lamps")
    return number_of("Alice/lamps")


def number_of(key: str) -> int:
    return int(index.catalogue.snapshot().entries[key].value.id)


def counted(package_id: int, day: str, **numbers: int) -> None:
    """Store the counters of a day and publish them."""
    DailyStats(history.stats_pk(package_id), day, **numbers).save()
    history.recent.publish_things([str(package_id)])


def series(start: str, end: str, **columns: list[int]) -> dict[str, Any]:
    """Return a complete response; columns that are not given have zeros."""
    length = (date.fromisoformat(end) - date.fromisoformat(start)).days + 1
    return {"start": start, "end": end, **{name: columns.pop(name, [0] * length) for name in COUNTED}, **columns}


def test_a_package_without_data_has_no_statistics(client: Client) -> None:
    reply = client.get(PATH)
    assert (reply.status, reply.body, reply.header("cache-control")) == (200, b"null\n", "max-age=300")


def test_statistics_cover_the_days_from_the_first_to_the_last_with_data(client: Client, lamps: int) -> None:
    counted(lamps, "2026-02-27", platform_minetest=5, reason_new=2)
    counted(lamps, "2026-03-02", platform_other=1, views_luanti=7)
    assert client.get(PATH).json == series(
        "2026-02-27",
        "2026-03-02",
        platform_minetest=[5, 0, 0, 0],
        reason_new=[2, 0, 0, 0],
        platform_other=[0, 0, 0, 1],
        views_luanti=[0, 0, 0, 7],
    )


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("start=2026-02-20", ["2026-02-20", "2026-03-05"]),
        ("end=2026-02-20", ["2026-01-31", "2026-02-20"]),
        ("start=2026-02-01&end=2026-02-28", ["2026-02-20", "2026-02-20"]),
        ("start=2026-03-05&end=2026-03-05", ["2026-03-05", "2026-03-05"]),
        ("start=0001-01-01&end=9999-12-31", ["2026-01-31", "2026-03-05"]),
        ("start=2026-02-21&end=2026-03-04", None),
        ("start=2026-03-05&end=2026-02-20", None),
        ("start=2027-01-01", None),
        ("end=2020-01-01", None),
    ],
)
def test_a_query_can_select_a_range_of_days(client: Client, lamps: int, query: str, days: list[str] | None) -> None:
    for day in ("2026-01-31", "2026-02-20", "2026-03-05"):
        counted(lamps, day, platform_minetest=1)
    for path in (PATH, "/api/users/Alice/stats/"):
        found = client.get(path, query=query).json
        assert (found and [found["start"], found["end"]]) == days


def test_data_before_upstreams_first_day_needs_an_explicit_start(client: Client, lamps: int) -> None:
    counted(lamps, "2022-09-30", platform_minetest=1)
    assert client.get(PATH).json is None
    assert client.get(PATH, query="start=2022-01-01").json["start"] == "2022-09-30"


@pytest.mark.parametrize("path", [PATH, "/api/users/Alice/stats/"])
@pytest.mark.parametrize(
    "query",
    [
        *("start=yesterday", "end=2026-02-30", "start=2026-1-1", "end=20260301", "start=2026-W01-1"),
        *("start=0000-01-01", "end=10000-01-01", "start=2026-03-01T00:00:00", "end=%D9%A2026-03-01", "start=null"),
    ],
)
def test_an_invalid_day_is_rejected(client: Client, path: str, query: str) -> None:
    reply = client.get(path, query=query)
    assert (reply.status, reply.json) == (
        400,
        malformed(f"{query.partition('=')[0]} must be a day such as 2026-03-05."),
    )


def test_statistics_of_an_unknown_package_are_not_found(client: Client) -> None:
    reply = client.get("/api/packages/Alice/nothing/stats/")
    assert (reply.status, reply.json) == (404, NO_SUCH_PAGE)


def test_statistics_of_an_unknown_user_are_not_found(client: Client, bob: Account) -> None:
    for username in ("nobody", "alice", "BOB", "x" * 100, "%00"):
        reply = client.get(f"/api/users/{username}/stats/")
        assert (reply.status, reply.json) == (404, refusal("User not found"))
    assert client.get("/api/users/bob/stats/").body == b"null\n"


def test_statistics_of_a_user_have_sums_and_downloads_by_title(client: Client, lamps: int) -> None:
    published("Alice/doors", title="Doors")
    accounts.create("carol", "carol@example.org")
    published("carol/chairs")
    counted(lamps, "2026-03-01", platform_minetest=5, platform_other=1, reason_new=3)
    counted(number_of("Alice/doors"), "2026-03-03", platform_minetest=2, reason_update=1, views_luanti=4)
    counted(number_of("carol/chairs"), "2026-03-02", platform_minetest=9)
    reply = client.get("/api/users/Alice/stats/")
    assert reply.header("cache-control") == "max-age=300"
    assert reply.json == {
        **series(
            "2026-03-01",
            "2026-03-03",
            platform_minetest=[5, 0, 2],
            platform_other=[1, 0, 0],
            reason_new=[3, 0, 0],
            reason_update=[0, 0, 1],
            views_luanti=[0, 0, 4],
        ),
        "from": "2026-03-01",
        "package_downloads": {"Lamps": [6, 0, 0], "Doors": [0, 0, 2]},
    }


def test_packages_with_the_same_title_have_distinct_keys(client: Client, lamps: int) -> None:
    published("Alice/lamps_too", title="Lamps (lamps_three)")
    published("Alice/lamps_three", title="Lamps")
    published("Alice/lamps_four", title="Lamps (lamps_three)")
    for downloads, name in enumerate(("lamps", "lamps_too", "lamps_three", "lamps_four"), 1):
        counted(number_of(f"Alice/{name}"), "2026-03-01", platform_other=downloads)
    assert client.get("/api/users/Alice/stats/").json["package_downloads"] == {
        "Lamps": [1],
        "Lamps (lamps_three)": [2],
        "Lamps (lamps_three) (lamps_three)": [3],
        "Lamps (lamps_three) (lamps_four)": [4],
    }


def test_statistics_of_all_packages_cover_thirty_days_without_gaps(client: Client, lamps: int) -> None:
    published("Alice/doors")
    published("Alice/idle")
    draft("Alice/draft")
    counted(lamps, "2026-02-09", platform_minetest=9)
    counted(lamps, "2026-02-10", views_luanti=1)
    counted(lamps, TODAY, platform_minetest=3, platform_other=1)
    counted(number_of("Alice/doors"), "2026-02-08", platform_minetest=5)
    counted(number_of("Alice/draft"), TODAY, platform_minetest=5)
    reply = client.get("/api/package_stats/")
    assert (reply.status, reply.header("cache-control")) == (200, "max-age=900")
    assert reply.json == {
        "start": "2026-02-09",
        "end": TODAY,
        "package_downloads": {"Alice/lamps": [9, *[0] * 28, 4]},
    }


def test_thirty_days_can_reach_into_three_months(client: Client, clock: Any, lamps: int) -> None:
    counted(lamps, "2026-01-31", platform_minetest=1)
    clock.move_to("2026-03-01T00:00:00Z")
    assert client.get("/api/package_stats/").json["package_downloads"] == {"Alice/lamps": [1, *[0] * 29]}
    clock.move_to("2026-03-02T00:00:00Z")
    assert client.get("/api/package_stats/").json["package_downloads"] == {}


def test_booked_views_and_downloads_are_in_all_statistics(client: Client) -> None:
    visitor = counting.Visitor("203.0.113.7", "Luanti/5.17.0 (Linux)")
    counting.count_view(visitor, 1)
    counting.count_download(visitor, 1, 1, "new")
    counting.count_download(visitor, 1, 1, "update")
    job_runner.run_now("contentdb-book-downloads")
    columns = {"platform_minetest": [2], "reason_new": [1], "reason_update": [1], "views_luanti": [1]}
    assert client.get(PATH).json == series(TODAY, TODAY, **columns)
    assert client.get("/api/users/Alice/stats/").json["views_luanti"] == [1]
    assert client.get("/api/package_stats/").json["package_downloads"]["Alice/lamps"][-2:] == [0, 2]
    assert (list(PackageTally.scan()), list(Booked.scan())) == ([], [])


def months_and_days(package_id: int) -> list[str]:
    items = history.ContentDbItem.query(history.stats_pk(package_id))
    return [item.sk for item in items]


@pytest.fixture
def old(lamps: int) -> int:
    """The id of a package with data in past months and in the current one; the jobs of its publishing have run."""
    while job_runner.run_due():
        pass
    for day, number in (("2025-12-01", 1), ("2025-12-31", 2), ("2026-02-01", 3), ("2026-02-28", 4), ("2026-03-01", 5)):
        counted(lamps, day, platform_minetest=number, views_luanti=number)
    return lamps


PATHS = (PATH, "/api/users/Alice/stats/", "/api/package_stats/")
RANGES = ("", "start=2025-12-31&end=2026-02-27", "start=2026-02-15", "end=2025-12-31")


def responses(client: Client) -> list[bytes]:
    return [client.get(path, query=query).body for path in PATHS for query in RANGES]


def test_compaction_merges_days_and_changes_no_response(client: Client, old: int) -> None:
    before = responses(client)
    job_runner.run_now("contentdb-compact-statistics")
    assert months_and_days(old) == ["2025-12", "2026-02", "2026-03-01"]
    assert responses(client) == before
    assert job_runner.run_due() == 2
    assert [item.sk for item in UserStats.query("user-stats#Alice")] == ["2025-12", "2026-02"]
    assert responses(client) == before
    job_runner.run_now("contentdb-compact-statistics")
    assert (job_runner.run_due(), responses(client)) == (0, before)


def test_a_month_is_compacted_three_days_after_its_end(clock: Any, old: int) -> None:
    clock.move_to("2026-03-03T23:00:00Z")
    compaction.compact()
    assert months_and_days(old) == ["2025-12", "2026-02-01", "2026-02-28", "2026-03-01"]
    clock.move_to("2026-03-04T00:00:00Z")
    compaction.compact()
    assert months_and_days(old) == ["2025-12", "2026-02", "2026-03-01"]


def test_compaction_loses_and_doubles_nothing_whenever_the_process_is_killed(client: Client, old: int) -> None:
    before = responses(client)
    days = list(DailyStats.query(history.stats_pk(old)))
    died_after = 0
    while dies(compaction.compact, died_after):
        assert responses(client) == before
        compaction.compact()
        job_runner.run_due()
        assert months_and_days(old) == ["2025-12", "2026-02", "2026-03-01"]
        assert responses(client)[:8] == before[:8]
        for month in MonthlyStats.query(history.stats_pk(old)):
            month.delete()
        for item in (*days, *Compacted.query("stats"), *UserStats.query("user-stats#Alice")):
            item.delete() if not isinstance(item, DailyStats) else item.save()
        history.recent.publish_things([str(old)])
        died_after += 1
    assert died_after > 6


@both_worlds
def test_a_concurrent_compaction_with_less_data_does_not_overwrite_a_month(client: Client, old: int) -> None:
    before = responses(client)
    published("Alice/doors")
    doors, about = number_of("Alice/doors"), {"author": "Alice", "month": "2026-02"}

    def compact_another() -> None:
        MonthlyStats(history.stats_pk(doors), "2026-02", columns=[[1] * 28] * 6).save()
        compaction.gather_of_user(about)

    compaction.compact()
    compaction.gather_of_user(about)
    for after in (3, 2):  # after all reads; before the reads of the packages
        with meanwhile(compact_another, after), suppress(Contended):
            compaction.gather_of_user(about)
        [month] = UserStats.query("user-stats#Alice", UserStats.sk == "2026-02")
        assert set(orjson.loads(zlib.decompress(month.packed))) == {str(old), str(doors)}
        MonthlyStats(history.stats_pk(doors), "2026-02").delete()
        compaction.gather_of_user(about)
    assert responses(client)[:8] == before[:8]


def test_late_downloads_are_added_to_their_month(client: Client, clock: Any, old: int) -> None:
    visitor = counting.Visitor("203.0.113.7", "Luanti/5.17.0 (Linux)")
    clock.move_to("2026-02-28T12:00:00Z")
    counting.count_download(visitor, old, 1, "new")
    clock.move_to("2025-11-05T12:00:00Z")
    counting.count_download(visitor, old, 1, "new")
    clock.move_to(f"{TODAY}T12:00:00Z")
    compaction.compact()
    job_runner.run_due()
    job_runner.run_now("contentdb-book-downloads")
    assert months_and_days(old) == ["2025-11", "2025-12", "2026-02", "2026-03-01"]
    found = client.get(PATH).json
    assert (found["start"], found["platform_minetest"][0], found["platform_minetest"][-2]) == ("2025-11-05", 1, 5)
    job_runner.run_due()
    of_user = client.get("/api/users/Alice/stats/").json
    assert {name: of_user[name] for name in found} == found
    assert client.get("/api/package_stats/").json["package_downloads"]["Alice/lamps"][19:21] == [5, 5]


def test_late_downloads_before_compaction_are_not_lost(client: Client, clock: Any, old: int) -> None:
    clock.move_to("2026-02-28T12:00:00Z")
    counting.count_download(counting.Visitor("203.0.113.7", "curl/8"), old, 1, None)
    clock.move_to("2026-03-03T12:00:00Z")  # late downloads go to the month, which is not compacted yet
    job_runner.run_now("contentdb-book-downloads")
    assert months_and_days(old) == ["2025-12", "2026-02", "2026-03-01"]
    clock.move_to(f"{TODAY}T12:00:00Z")
    compaction.compact()
    found = client.get(PATH, query="start=2026-02-28").json
    assert (found["platform_minetest"][0], found["platform_other"][0]) == (4, 1)


def test_compaction_continues_in_the_next_slice(client: Client, old: int, monkeypatch: pytest.MonkeyPatch) -> None:
    published("Alice/doors")
    doors = number_of("Alice/doors")
    counted(doors, "2026-02-28", platform_minetest=20)
    before = responses(client)
    while job_runner.run_due():  # the jobs that publishing enqueued
        pass
    monkeypatch.setattr(job_runner, "SLICE", 0.0)  # one package each
    enqueue_compaction()
    assert job_runner.run_due() == 1
    assert [months_and_days(number) for number in (old, doors)] == [
        ["2025-12", "2026-02", "2026-03-01"],
        ["2026-02-28"],
    ]
    (left,) = (job for job in jobs.pending() if job.name == COMPACT)
    assert (left.payload, left.progress, left.attempts) == (old, "1 of 2 packages", 0)
    while any(job.name == COMPACT for job in jobs.pending()):
        job_runner.run_due()
    assert months_and_days(doors) == ["2026-02"]
    assert responses(client)[:8] == before[:8]


def enqueue_compaction() -> None:
    writes = Transaction()
    jobs.enqueue(writes, COMPACT, None)
    writes.commit()


def test_compacted_months_older_than_thirty_days_are_not_published(client: Client, clock: Any, old: int) -> None:
    before = responses(client)
    for day, shown in (
        (TODAY, ["2025-12", "2026-02", "2026-03"]),  # not compacted yet
        ("2026-03-11", ["2026-02", "2026-03"]),
        ("2026-06-05", ["2026-03"]),  # not compacted yet
    ):
        clock.move_to(f"{day}T00:00:00Z")
        job_runner.run_now("contentdb-compact-statistics")
        job_runner.run_due()
        assert list(history.recent.counts().get(str(old)) or {}) == shown
        assert responses(client)[:8] == before[:8]
    job_runner.run_now("contentdb-compact-statistics")
    assert history.recent.counts().get(str(old)) is None
    assert responses(client)[:8] == before[:8]


def test_the_published_statistics_can_be_rebuilt(client: Client, old: int) -> None:
    for shown in (["2025-12", "2026-02", "2026-03"], ["2026-02", "2026-03"]):
        before = history.recent.counts().get(str(old)) or {}
        history.recent.rebuild()
        assert history.recent.counts().get(str(old)) == {month: before[month] for month in shown}
        compaction.compact()


def test_the_first_job_publishes_the_days_of_an_older_version(client: Client, lamps: int) -> None:
    DailyStats(history.stats_pk(lamps), TODAY, platform_other=3).save()
    job_runner.run_now("contentdb-book-downloads")
    assert client.get("/api/package_stats/").json["package_downloads"]["Alice/lamps"][-1] == 3


def test_booking_loses_and_doubles_nothing_whenever_the_process_is_killed(client: Client, lamps: int) -> None:
    died_after = 0
    while True:
        counting.count_download(counting.Visitor(f"203.0.113.{died_after}", "Luanti/5.17.0"), lamps, 1, "new")
        died = dies(lambda: job_runner.run_now("contentdb-book-downloads"), died_after)
        died_after += 1
        job_runner.run_now("contentdb-book-downloads")
        assert client.get("/api/package_stats/").json["package_downloads"]["Alice/lamps"][-1] == died_after
        shown = client.get("/api/scores/").json[0]
        assert (shown["downloads"], shown["score"]) == (died_after, died_after)
        assert (list(PackageTally.scan()), list(Booked.scan())) == ([], [])
        if not died:
            break
    assert died_after > 12


def test_statistics_of_an_author_omit_deleted_packages(client: Client, old: int) -> None:
    compaction.compact()
    job_runner.run_due()
    before = responses(client)
    change("Alice/lamps", state="DELETED")
    assert client.get("/api/users/Alice/stats/").json is None
    assert client.get("/api/package_stats/").json["package_downloads"] == {}
    change("Alice/lamps", state="APPROVED")
    assert responses(client) == before


def test_a_renamed_package_keeps_its_statistics(client: Client, old: int) -> None:
    change("Alice/lamps", title="Lights")
    assert list(client.get("/api/users/Alice/stats/").json["package_downloads"]) == ["Lights"]


@pytest.mark.parametrize("count", [10, 500])
def test_the_cost_of_statistics_does_not_depend_on_the_number_of_packages(
    client: Client, calls: list[str], fill_catalogue: Any, count: int
) -> None:
    fill_catalogue(count)
    first = popularity.today() - timedelta(days=20)
    recent = {first.isoformat()[:7]: [[number % 5] * 28 for number in range(6)]}
    everything = ((str(number + 1), recent) for number in range(count))
    name, kind = history.recent.name, history.RecentMonths
    CounterSet(name, kind, read=lambda _: {}, everything=lambda: everything).rebuild()
    for month in ("2025-11", "2025-12", "2026-01"):
        columns = [[number % 5] * (30 if month == "2025-11" else 31) for number in range(6)]
        packed = history.pack({str(number + 1): columns for number in range(count)})
        UserStats("user-stats#Alice", month, packed=packed).save()
        MonthlyStats("stats#1", month, columns=columns).save()
    cost = {
        "/api/packages/Alice/p1/stats/": ["Query", "Query"],
        "/api/users/Alice/stats/": ["Query", "Query"],
        "/api/package_stats/": ["Query"],
        "/api/scores/": ["Query"],
    }
    for path, expected in cost.items():
        client.get(path)
        calls.clear()
        assert (client.get(path).status, calls) == (200, expected)
    titles = client.get("/api/users/Alice/stats/").json["package_downloads"]
    assert len(titles) == count


def test_statistics_are_available_as_csv(client: Client, lamps: int) -> None:
    head = b"date,platform_minetest,platform_other,reason_new,reason_dependency,reason_update,views_luanti\r\n"
    path = "/packages/Alice/lamps/stats.csv"
    assert client.get(path).body == head
    counted(lamps, "2026-02-28", platform_minetest=5, reason_new=2)
    counted(lamps, "2026-03-02", views_luanti=1)
    reply = client.get(path)
    assert (reply.status, reply.header("content-type"), reply.header("cache-control")) == (
        200,
        "text/csv",
        "max-age=300",
    )
    assert reply.body == head + b"2026-02-28,5,0,2,0,0,0\r\n2026-03-01,0,0,0,0,0,0\r\n2026-03-02,0,0,0,0,0,1\r\n"
    assert client.get(path, query="start=2026-03-01").body == head + b"2026-03-02,0,0,0,0,0,1\r\n"
    assert client.get(path, query="start=x").json == malformed("start must be a day such as 2026-03-05.")
    assert client.get("/packages/Alice/nothing/stats.csv").status == 404


def test_a_badge_has_the_title_or_the_downloads(client: Client) -> None:
    change("Alice/lamps", title='L<a>"mps" & \x07 lights')
    count("Alice/lamps", downloads=1234)
    for kind, label in (("title", 'ContentDB: L<a>"mps" &  lights'), ("downloads", "downloads: 1234")):
        reply = client.get(f"/packages/Alice/lamps/shields/{kind}/")
        assert (reply.status, reply.header("content-type")) == (200, "image/svg+xml")
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        assert reply.header("content-security-policy") == policy
        image = ElementTree.fromstring(reply.body)
        assert image.get("aria-label") == label
        assert [text.text for text in image.iter("{http://www.w3.org/2000/svg}text")] == label.split(": ")
    for path in ("Alice/lamps/shields/score", "Alice/nothing/shields/title"):
        assert client.get(f"/packages/{path}/").status == 404
