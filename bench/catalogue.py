"""The catalogue at any size: memory, cold start, and the CPU that one change costs.

    python -m bench.catalogue --entries 20000 --json

Fills a temporary directory with `--entries` modules of LuaRocks and as many packages of ContentDB and of Hel: their
entries, not their items. Then a new process loads them and answers requests. Times are CPU time of that process, the
median of several repetitions:

    rss_mb, peak_mb      memory after the load of LuaRocks' catalogue and its largest group, and at most until then
    cold_s               seconds for that load
    upload_ms            an upload of a rockspec
    first_manifest_ms    the first zipped manifest after an upload
    first_list_ms        ContentDB's whole list, compressed, the first one after a change of a package
    new_search_ms        a search of ContentDB for words without an earlier search
    count_follow_ms      the first request after another process counted a download, less the same request before
    rss_both_mb, peak_both_mb   memory then, with both catalogues and what searches and lists need; and at most
    hel_list_ms          Hel's list, the first one after a change of a package
    hel_search_ms        a search of Hel for words and a tag without an earlier search
    rss_all_mb, peak_all_mb     memory at the end, with the three catalogues; and at most

and of one more new process for each of

    cold_modules_s       seconds for its first search of LuaRocks, with the load
    cold_search_s        seconds for its first search of ContentDB, with the load
    cold_list_s          seconds for its first whole list of ContentDB, with the load
    cold_hel_s           seconds for its first search of Hel, with the load
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.catalogue_entries import WORDS, hel_package, module, package
from bench.cold import peak_memory
from bench.servers import ROOT

SIZES = (1_000, 10_000, 100_000)
FIGURES = {
    "cold_s": "LuaRocks: load in a new process, in s",
    "rss_mb": "LuaRocks: memory after the load, in MB",
    "peak_mb": "LuaRocks: memory at most during the load, in MB",
    "upload_ms": "LuaRocks: upload a rockspec, in ms",
    "first_manifest_ms": "LuaRocks: first manifest, zipped, after an upload, in ms",
    "count_follow_ms": "LuaRocks: follow a counted download, in ms",
    "first_list_ms": "ContentDB: first list, compressed, after a change, in ms",
    "new_search_ms": "ContentDB: new search, in ms",
    "cold_modules_s": "LuaRocks: first search in a new process, in s",
    "cold_search_s": "ContentDB: first search in a new process, in s",
    "cold_list_s": "ContentDB: first whole list in a new process, in s",
    "hel_list_ms": "Hel: first list after a change, in ms",
    "hel_search_ms": "Hel: new search for words and a tag, in ms",
    "cold_hel_s": "Hel: first search for words and a tag in a new process, in s",
    "rss_both_mb": "LuaRocks and ContentDB: memory at the end, in MB",
    "peak_both_mb": "LuaRocks and ContentDB: memory at most, in MB",
    "rss_all_mb": "with Hel too: memory at the end, in MB",
    "peak_all_mb": "with Hel too: memory at most, in MB",
}
REPEATS = 7
COLD: dict[str, tuple[str, dict[str, str]]] = {
    "modules": ("/api/1/modules", {"q": "iron"}),
    "search": ("/api/packages/", {"q": "iron tree", "type": "mod", "fmt": "keys"}),
    "list": ("/api/packages/", {}),
    "hel": ("/packages", {"q": "iron tree", "tags": "farm"}),
}


def main() -> None:
    """Fill a directory, measure it in another process, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.data, options.entries)))
        return
    found = at_size(options.entries)
    if options.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:18} {value:>10,}" for name, value in found.items()))


def at_size(entries: int) -> dict[str, float]:
    """The figures with so many modules and packages."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        _run("fill", data, entries)
        cold = {f"cold_{name}_s": _run(name, data, entries) for name in COLD}
        return {"entries": entries, **cold, **_run("measure", data, entries)}


def fill(data: Path, entries: int) -> None:
    """Store the synthetic entries, without their items, in an empty data directory."""
    from standalone.runtime import open_data

    open_data(data)
    import_module("app")  # with all services, the fold also writes the values that they store
    from chalicelib.contentdb.store import index as contentdb
    from chalicelib.contentdb.store import reference
    from chalicelib.core import ids
    from chalicelib.hel import index as hel
    from chalicelib.hel import rows, texts  # noqa: F401  (the fold stores what they keep)
    from chalicelib.luarocks import index as luarocks

    for name in ("luarocks-module", "luarocks-version", "contentdb-package", "contentdb-release"):
        ids.reserve(name, 10 * entries)
    reference.seed()
    seeded = dict(contentdb.catalogue.entities())
    luarocks.catalogue.entities = lambda: map(module, range(entries))
    luarocks.catalogue.rebuild()
    luarocks.catalogue.fold()
    contentdb.catalogue.entities = lambda: ({**seeded, **dict(map(package, range(entries)))}).items()
    contentdb.catalogue.rebuild()
    contentdb.catalogue.fold()
    hel.catalogue.entities = lambda: map(hel_package, range(entries))
    hel.catalogue.rebuild()
    hel.catalogue.fold()


def measure(data: Path, entries: int) -> dict[str, float]:
    """Answer requests in this process; return the results."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.core.identity import accounts, credentials
    from chalicelib.luarocks import index
    from tests.client import Client

    client = Client()
    key = credentials.create(accounts.create("bench", "bench@example.org"), "luarocks")[1]

    def load() -> None:
        assert len(index.modules(index.catalogue.snapshot(), index.ROOT)) == entries

    found = {"cold_s": round(_milliseconds(load) / 1000, 3), "rss_mb": _memory(), "peak_mb": round(peak_memory())}
    found |= _luarocks(client, key)
    found["count_follow_ms"] = _count(client, key, data)
    found |= _contentdb(client)
    _ok(client.get("/api/1/modules", query=COLD["modules"][1]))
    found |= {"rss_both_mb": _memory(), "peak_both_mb": round(peak_memory())}
    found |= _hel(client)
    return found | {"rss_all_mb": _memory(), "peak_all_mb": round(peak_memory())}


def _luarocks(client: Any, key: str) -> dict[str, float]:
    from tests.luarocks.builders import rockspec

    uploads, manifests = [], []
    for number in range(REPEATS + 1):
        files = {"rockspec_file": ("x", rockspec(f"bench{number}"))}
        uploads.append(_milliseconds(lambda: _ok(client.post(f"/api/1/{key}/upload", files=files))))  # noqa: B023
        manifests.append(_milliseconds(lambda: _ok(client.get("/manifest-5.1.zip"))))
    return {"upload_ms": _median(uploads[1:]), "first_manifest_ms": _median(manifests[1:])}


def _count(client: Any, key: str, data: Path) -> float:
    """Milliseconds to follow the counting of a download by another process."""

    def ask() -> None:
        _ok(client.get("/modules/bench/bench0"))

    spent = []
    for _ in range(3):
        ask()
        before = min(_milliseconds(ask) for _ in range(5))
        _run("count", data, 0)
        spent.append(max(_milliseconds(ask) - before, 0))
    return _median(spent)


def cold(name: str, data: Path) -> float:
    """The seconds that a request of COLD takes in this process, which has answered none."""
    from standalone.runtime import open_data

    open_data(data)
    from tests.client import Client

    client, (path, query) = Client(), COLD[name]
    headers = {"Accept-Encoding": "gzip"}
    return round(_milliseconds(lambda: _ok(client.get(path, query=query, headers=headers))) / 1000, 3)


def count(data: Path, _: int) -> None:
    """Download a rockspec, and run the jobs that count downloads."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.core import job_runner, registry
    from tests.client import Client

    client = Client()
    _ok(client.get("/manifests/bench/bench0-1.0-1.rockspec", headers={"User-Agent": "LuaSocket/3.1.0"}))
    for name in registry.current().repeating_jobs:
        if name.startswith("luarocks") or name.endswith("-counts"):
            job_runner.run_now(name)
    job_runner.run_due()


def _contentdb(client: Any) -> dict[str, float]:
    from chalicelib.contentdb.store import index
    from chalicelib.core.catalogues.entries import replace

    def change(number: int) -> None:
        key, value = package(number)
        index.catalogue.publish(lambda snapshot, writes: ({key: replace(value, title=f"Changed {number}")}, None))

    headers = {"Accept-Encoding": "gzip"}
    lists, searches = [], []
    pick = random.Random(7)
    for number in range(REPEATS + 1):
        change(number)
        lists.append(_milliseconds(lambda: _ok(client.get("/api/packages/", headers=headers))))
    for _ in range(REPEATS + 1):
        query = {"q": " ".join(pick.sample(WORDS, 2)), "type": "mod", "fmt": "keys"}
        searches.append(_milliseconds(lambda: _ok(client.get("/api/packages/", query=query))))  # noqa: B023
    return {"first_list_ms": _median(lists[1:]), "new_search_ms": _median(searches[1:])}


def _hel(client: Any) -> dict[str, float]:
    from chalicelib.core.catalogues.entries import replace
    from chalicelib.hel import index

    lists, searches = [], []
    pick = random.Random(7)
    for number in range(REPEATS + 1):
        key, value = hel_package(number)
        changed = replace(value, short_description=f"Changed {number}")
        index.catalogue.publish(lambda snapshot, writes: ({key: changed}, None))  # noqa: B023
        lists.append(_milliseconds(lambda: _ok(client.get("/packages"))))
        query = {"q": " ".join(pick.sample(WORDS, 2)), "tags": pick.choice(WORDS)}
        searches.append(_milliseconds(lambda: _ok(client.get("/packages", query=query))))  # noqa: B023
    return {"hel_list_ms": _median(lists[1:]), "hel_search_ms": _median(searches[1:])}


STEPS: dict[str, Callable[[Path, int], Any]] = {"fill": fill, "measure": measure, "count": count}
STEPS |= {name: lambda data, _, name=name: cold(name, data) for name in COLD}


def _run(step: str, data: Path, entries: int) -> Any:
    command = [sys.executable, "-m", "bench.catalogue", "--step", step, "--data", str(data), "--entries", str(entries)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def _milliseconds(work: Callable[[], object]) -> float:
    """The CPU time of this process that `work` takes."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def _median(times: list[float]) -> float:
    return round(statistics.median(times), 2)


def _ok(reply: Any) -> None:
    assert reply.status in (200, 302), (reply.status, reply.body[:300])


def _memory() -> int:
    """The resident memory of this process in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


if __name__ == "__main__":
    main()
