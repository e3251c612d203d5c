"""Download counters: counted by upstream's rules, without a call, and added to the catalogue by a job."""

import pytest

from chalicelib import settings
from chalicelib.core import job_runner
from chalicelib.core.errors import Busy
from chalicelib.luarocks import downloads, index
from chalicelib.luarocks.tables import DownloadTally
from tests.client import Client
from tests.luarocks.builders import Upload

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


def test_a_download_costs_no_call_for_its_count(client: Client, calls: list[str]) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    calls.clear()
    for _ in range(50):
        client.get("/say-1.0-1.rockspec", headers=CURL)
    assert [call for call in calls if call != "GetObject"] == ["Query"] * 50


def test_counts_of_several_writes_and_jobs_add_up(client: Client) -> None:
    for _ in range(2):
        for path in ("/say-1.0-1.rockspec", "/manifests/alice/say-1.0-1.src.rock", "/dev/say-1.0-1.src.rock"):
            client.get(path, headers=CURL)
        downloads.write()
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 3, "src": 4}
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    assert counts(client) == {"rockspec": 4, "src": 4}
    assert list(DownloadTally.query("tallies")) == []


def test_counts_do_not_change_last_modified(client: Client) -> None:
    before = client.get("/manifest")
    client.get("/say-1.0-1.rockspec", headers=CURL)
    job_runner.run_now("luarocks-downloads")
    after = client.get("/manifest")
    assert [after.header(name) for name in ("last-modified", "etag")] == [
        before.header(name) for name in ("last-modified", "etag")
    ]


def test_all_counts_are_published_in_one_change(client: Client) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    before = index.catalogue.snapshot().sequence
    job_runner.run_now("luarocks-downloads")
    job_runner.run_now("luarocks-downloads")
    assert index.catalogue.snapshot().sequence == before + 1


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


def test_counts_of_deleted_modules_are_ignored(client: Client, key: str) -> None:
    client.get("/say-1.0-1.rockspec", headers=CURL)
    client.request("DELETE", f"/api/1/{key}/modules/alice/say")
    job_runner.run_due()
    job_runner.run_now("luarocks-downloads")
    assert index.catalogue.rebuild().entries == {}


def test_manifests_and_signatures_do_not_count(client: Client) -> None:
    client.get("/manifest", headers=CURL)
    client.get("/say-1.0-1.rockspec.asc", headers=CURL)
    downloads.write()
    assert list(DownloadTally.query("tallies")) == []


def test_many_files_are_written_in_parts(client: Client) -> None:
    for number in range(200):
        downloads._counts.add((1, 1, f"arch{number}"))
    downloads.write()
    assert [len(tally.counts) for tally in DownloadTally.query("tallies")] == [90, 90, 20]
    job_runner.run_now("luarocks-downloads")
    assert client.get("/api/1/modules/say").json["module"]["downloads"] == 200
