"""Download counters: counted by upstream's rules with one write, and published by a job."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core import job_runner, registry
from chalicelib.core.errors import Busy
from chalicelib.luarocks import downloads, index
from chalicelib.luarocks.tables import DownloadCount, DownloadTally
from tests.aws_calls import dies, refusing
from tests.client import Client
from tests.luarocks.builders import Upload
from tests.worlds import both_worlds

CURL = {"User-Agent": "curl/8.5.0"}


@pytest.fixture(autouse=True)
def _published(upload: Upload, upload_rock: Upload) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock")


def counts(client: Client) -> dict[str, int]:
    versions = client.get("/api/1/modules/say").json["versions"]
    return {file["arch"]: file["downloads"] for file in versions[0]["files"]}


@pytest.mark.parametrize(
    ("agent", "counted"),
    [
        ("LuaRocks/3.8.0 linux-x86_64 via wget", 1),
        ("LuaSocket 3.0.0", 1),
        ("Wget/1.21", 1),
        ("curl/8.5.0", 1),
        ("Mozilla/5.0", 0),
        ("", 0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_downloads_of_clients_count(client: Client, agent: str, counted: int, method: str) -> None:
    assert client.request(method, "/say-1.0-1.src.rock", headers={"User-Agent": agent}).status == 200
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 0, "src": counted}


def test_a_download_costs_one_write_for_its_count(client: Client, calls: list[str]) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    calls.clear()
    for _ in range(50):
        client.get("/say-1.0-1.rockspec", headers=CURL)
    assert [call for call in calls if call != "GetObject"] == ["Query", "UpdateItem"] * 50


@both_worlds
def test_all_answered_downloads_of_short_lived_processes_are_counted(client: Client) -> None:
    for _ in range(20):
        for catalogue in registry.current().catalogues.values():
            catalogue.drop_cache()
        downloads.counters.drop_cache()
        assert client.get("/say-1.0-1.src.rock", headers=CURL).status == 200
    downloads.counters.drop_cache()
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 0, "src": 20}


def test_counts_of_all_paths_and_jobs_add_up(client: Client) -> None:
    for _ in range(2):
        for path in ("/say-1.0-1.rockspec", "/manifests/alice/say-1.0-1.src.rock", "/dev/say-1.0-1.src.rock"):
            client.get(path, headers=CURL)
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 3, "src": 4}
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 4, "src": 4}


def test_counts_of_an_older_version_are_kept(client: Client) -> None:
    DownloadCount("downloads#1", "1#src", number=5).save()
    DownloadTally("tallies", "1#a", counts=[[1, 1, "src", 2], [1, 1, "rockspec", 1]]).save()
    DownloadTally("tallies", "2#a", counts=[[1, 1, "src", 9]], added=True).save()
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 1, "src": 7}
    assert list(DownloadTally.query("tallies")) == []


def test_counts_of_an_older_version_are_added_once_whenever_the_process_is_killed(client: Client) -> None:
    died_after = 0
    while True:
        DownloadTally("tallies", f"{died_after}#a", counts=[[1, 1, "src", 1]]).save()
        died = dies(lambda: job_runner.run_now("luarocks-downloads"), died_after)
        job_runner.run_now("luarocks-downloads")
        died_after += 1
        assert counts(client) == {"rockspec": 0, "src": died_after}
        if not died:
            break
    assert died_after > 5


def test_a_download_that_cannot_be_counted_succeeds(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with refusing("UpdateItem", "ProvisionedThroughputExceededException"):
        assert client.get("/say-1.0-1.src.rock", headers=CURL).status == 200
    assert caplog.messages == ["a download was not counted: The database is busy."]


def test_counts_do_not_change_last_modified(client: Client) -> None:
    before = client.get("/manifest")
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    after = client.get("/manifest")
    assert [after.header(name) for name in ("last-modified", "etag")] == [
        before.header(name) for name in ("last-modified", "etag")
    ]


def test_counts_change_no_entry(client: Client) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    before = index.catalogue.snapshot().sequence
    job_runner.run_now("luarocks-downloads")
    job_runner.run_now("luarocks-downloads")
    assert (index.catalogue.snapshot().sequence, downloads.state()) == (before, 1)


def test_the_etag_of_a_module_follows_its_counts(client: Client) -> None:
    before = client.get("/api/1/modules/say")
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    known = {"If-None-Match": before.header("etag") or ""}
    assert client.get("/api/1/modules/say", headers=known).status == 200


def test_an_interrupted_job_neither_loses_nor_doubles_counts(client: Client) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    with settings.override(blobs="file:/proc/nowhere"), pytest.raises(Busy):
        job_runner.run_now("luarocks-downloads")
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 1, "src": 0}


def test_counts_survive_a_publish_and_a_rebuild(client: Client, upload: Upload) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    row = upload().json["version"]
    assert (row["downloads"], row["rockspec_downloads"]) == (1, 1)
    index.catalogue.rebuild()
    assert counts(client) == {"rockspec": 1, "src": 0}


def test_counts_of_deleted_modules_are_deleted(client: Client, key: str) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    client.request("DELETE", f"/api/1/{key}/modules/alice/say")
    job_runner.run_due()
    job_runner.run_now("luarocks-downloads")
    assert (list(DownloadCount.scan()), downloads.counters.counts().get("1")) == ([], None)


def test_manifests_and_signatures_do_not_count(client: Client) -> None:
    client.get("/manifest", headers=CURL)
    client.get("/say-1.0-1.rockspec.asc", headers=CURL)
    assert list(DownloadCount.scan()) == []


def test_counts_are_the_same_after_a_restored_backup(client: Client) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    downloads.counters.rebuild()
    downloads.counters.drop_cache()
    assert counts(client) == {"rockspec": 1, "src": 0}


def test_downloads_are_shown_by_day(client: Client) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        job_runner.run_now("luarocks-downloads")
        for _ in range(3):
            client.get("/say-1.0-1.src.rock", headers=CURL)
        job_runner.run_now("luarocks-downloads")
        assert client.get("/modules/alice/say/downloads").json == {"downloads": 3, "days": {}}
        clock.shift(timedelta(days=1))
        job_runner.run_now("store-days")
        assert client.get("/modules/alice/say/downloads").json == {"downloads": 3, "days": {"2026-03-01": 3}}
    assert client.get("/modules/alice/none/downloads").status == 404
