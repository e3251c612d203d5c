"""LuaRocks on a real server: manifests, and the time from a publish to its manifest, compared with the original server.

    python -m bench.luarocks [--modules 1000 3000] [--seconds 3]

Each module has three versions with a rockspec and a rock. luarocks.org's server (OpenResty, PostgreSQL) and
`luarocks-admin add`, which rewrites the manifest of a directory, were measured on two cores. The CPU time of an upload
excludes the child process that evaluates the rockspec, about 2 ms.
"""

import argparse
import io
import itertools
import json
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.servers import Load, LoadConnection, MeasuredServer, busy, filled, request, serving

ACCOUNTS = 50
PUBLISHES = 60
FIRST_ID = 10**9  # of the modules that `fill` stores: the server issues ids from 1
MANIFESTS = ("/manifest-5.1", "/manifest-5.1.zip", "/manifest-5.1.json", "/manifests/author7/manifest-5.1.zip")
# by number of modules: ms to the manifest after a publish, uploads/s, ms of luarocks-admin
ORIGINAL = {1000: (106.0, 172.0, 2900.0), 3000: (288.0, 82.0, 9300.0)}
_NO_ORIGINAL = (None, None, None)


def main() -> None:
    """Measure at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", type=int, nargs="+", default=[1000, 3000])
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    print(busy())
    print(f"{'modules':>7}  {'':<44} {'':>12} {'CPU ms':>7} {'bytes':>8} {'original':>8} {'ratio':>7}")
    for modules in options.modules:
        with tempfile.TemporaryDirectory() as directory:
            data = Path(directory) / "data"
            keys = filled("bench.luarocks", data, modules)
            with serving(data) as server:
                Bench(server, modules, keys).run(options.seconds)


class Bench:
    """The measurements on one server."""

    def __init__(self, server: MeasuredServer, modules: int, keys: list[str]) -> None:
        self._server = server
        self._modules = modules
        self._keys = keys
        self._numbers = itertools.count()
        self._after_publish, self._uploads, self._admin = ORIGINAL.get(modules, _NO_ORIGINAL)

    def run(self, seconds: float) -> None:
        for path in MANIFESTS:
            self._show_rate(f"GET {path}, warm", self._server.load(partial(str, path), seconds))
        for path in MANIFESTS[:2]:
            published, after = self._publish_and_read(path)
            self._show_time(f"{path}, the first after a publish", after, self._after_publish)
        self._show_time("publish and manifest together", published, self._admin)
        for connections in (1, 8):
            load = self._server.repeat(lambda _: self._upload(), seconds, connections)
            self._show_rate(f"uploads, {connections} at once", load, self._uploads)

    def _publish_and_read(self, path: str) -> tuple[list[float], list[float]]:
        """Milliseconds from the start of an upload, and from its end, to the end of the next manifest.

        Several connections read in rotation, so that not only the worker that published answers.
        """
        publisher, readers = LoadConnection(self._server.port), [LoadConnection(self._server.port) for _ in range(6)]
        both, after = [], []
        versions = _versions(publisher.request("GET", path)[1])
        for reader in itertools.islice(itertools.cycle(readers), PUBLISHES):
            path_of_key, body = self._form()
            uploading, _ = publisher.request("POST", path_of_key, body, **_FORM)
            reading, manifest = reader.request("GET", path)
            assert _versions(manifest) == versions + 1, "the manifest is old"
            versions += 1
            after.append(reading)
            both.append(uploading + reading)
        return both, after

    def _upload(self) -> bytes:
        path, body = self._form()
        return request("POST", path, body, **_FORM)

    def _form(self) -> tuple[str, bytes]:
        """The path and the body of a request that publishes one more version of one of the modules."""
        number = next(self._numbers)
        module = number % self._modules
        rockspec = _rockspec(module, f"4.{number // self._modules}-1")
        head = b'--B\r\nContent-Disposition: form-data; name="rockspec_file"; filename="x.rockspec"\r\n\r\n'
        return f"/api/1/{self._keys[module % ACCOUNTS]}/upload", head + rockspec + b"\r\n--B--\r\n"

    def _show_rate(self, name: str, load: Load, original: float | None = None) -> None:
        compared = f"{original:>6.0f}/s {load.rate / original:>6.1f}x" if original else ""
        print(
            f"{self._modules:>7}  {name:<44} {load.rate:>10.0f}/s {load.cpu:>7.2f} {load.size:>8} {compared}",
            flush=True,
        )

    def _show_time(self, name: str, times: list[float], original: float | None) -> None:
        median = statistics.median(times)
        slow = statistics.quantiles(times, n=20)[-1]
        compared = f"{original:>6.0f}ms {original / median:>6.1f}x" if original else ""
        print(
            f"{self._modules:>7}  {name:<44} {median:>10.1f}ms {'':>7} {'':>8} {compared}  (95%: {slow:.1f} ms)",
            flush=True,
        )


_FORM = {"Content-Type": "multipart/form-data; boundary=B"}


def fill(data: Path, count: int) -> list[str]:
    """Store `count` modules of `ACCOUNTS` accounts in an empty data directory; return the accounts' keys."""
    from standalone.runtime import open_data

    open_data(data)
    from chalicelib.core.identity import accounts, credentials
    from chalicelib.luarocks import index
    from chalicelib.luarocks.tables import LuaRocksItem

    authors = [accounts.create(f"author{number}", f"author{number}@example.org") for number in range(ACCOUNTS)]
    with LuaRocksItem.batch_write() as batch:
        for number in range(count):
            author = authors[number % ACCOUNTS]
            for item in items(number, author.username.lower(), int(author.id)):
                batch.save(item)
    index.catalogue.rebuild()
    return [credentials.create(author, "luarocks")[1] for author in authors]


def items(number: int, user: str, user_id: int) -> Iterator[object]:
    """The items of a module, its three versions and their rocks; their blobs do not exist."""
    from chalicelib.luarocks.items import rock_sk
    from chalicelib.luarocks.tables import Module, Rock, Version, VersionId, module_pk

    module_id = FIRST_ID + 10 * number
    pk, name, created = module_pk(module_id), _name(number), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    dates = {"created_at": created, "updated_at": created}
    yield Module(
        pk,
        "module",
        id=module_id,
        user_id=user_id,
        user=user,
        name=name,
        in_root=True,
        current_version_id=module_id + 3,
        summary=f"What module number {number} is for, in a line",
        license="MIT",
        homepage=f"https://example.org/{name}",
        **dates,
    )
    for place in (1, 2, 3):
        version_id, version = module_id + place, f"{place}.0-1"
        yield Version(
            pk,
            f"version#{version}",
            id=version_id,
            module_id=module_id,
            version_name=version,
            rockspec_fname=f"{name}-{version}.rockspec",
            lua_version="lua >= 5.1",
            dependencies=["lua >= 5.1", f"{_name(number // 2)} >= 1.0"],
            development=False,
            source_url=f"git+https://example.org/{name}.git",
            sha256=f"{version_id:064x}",
            size=400,
            **dates,
        )
        yield VersionId(f"version-id#{version_id}", "version-id", module_id=module_id, name=name, version_name=version)
        yield Rock(
            pk,
            rock_sk(version_id, "src"),
            id=version_id + 3,
            version_id=version_id,
            arch="src",
            rock_fname=f"{name}-{version}.src.rock",
            sha256=f"{version_id + 3:064x}",
            size=9000,
            **dates,
        )


def _versions(manifest: bytes) -> int:
    """The number of versions in a manifest, zipped or not."""
    if manifest.startswith(b"PK"):
        archive = zipfile.ZipFile(io.BytesIO(manifest))
        manifest = archive.read(archive.namelist()[0])
    return manifest.count(b'"rockspec"')


def _name(number: int) -> str:
    return f"lua-{('http', 'json', 'date', 'term', 'zlib')[number % 5]}-{number}"


def _rockspec(number: int, version: str) -> bytes:
    name = _name(number)
    return f"""\
package = "{name}"
version = "{version}"
source = {{ url = "git+https://example.org/{name}.git", tag = "v{version}" }}
description = {{ summary = "What module number {number} is for, in a line", license = "MIT" }}
dependencies = {{ "lua >= 5.1", "{_name(number // 2)} >= 1.0" }}
build = {{ type = "builtin", modules = {{ ["{name}"] = "{name}.lua" }} }}
""".encode()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        print(json.dumps(fill(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
