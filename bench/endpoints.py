"""The client operations that docs/cost.md measures. Only the last request of each is counted.

They need a data directory that `bench.luarocks`, `bench.contentdb` and `bench.hel` have filled, at any size.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pyotp

import app as moonbase
from bench.aws import LIMIT, Metered, Spent, meter
from chalicelib import settings
from chalicelib.core import job_runner, registry
from chalicelib.core.identity import accounts, credentials, two_factor
from tests.client import BROWSER
from tests.contentdb.builders import change, draft
from tests.contentdb.files import MOD, picture, zipped
from tests.hel.builders import package
from tests.luadns.api import basic
from tests.luarocks.builders import rock, rockspec
from tests.web.gateway_events import sample

Operation = Callable[[int], Spent]
Make = Callable[[int], dict[str, Any]]
DIALOG = "protocol_version=53&engine_version=5.17.1&formspec_version=9&include_images=false"
GAMES_LIST = "type=mod&type=game&type=txp&protocol_version=53&engine_version=5.17.1&hide=nonfree&hide=desktop_default"
Operations = Iterator[tuple[str, Operation]]


def everything() -> Operations:
    """Yield names and operations: an operation takes the number of the repetition and returns its cost.

    Names of jobs start with `job: `. Jobs come first, before the other operations create accounts and packages.
    """
    services = {
        "LuaRocks": of_luarocks,
        "ContentDB": of_contentdb,
        "Hel": of_hel,
        "LuaDNS": of_luadns,
        "Account": of_account,
    }
    yield from of_jobs()
    yield from of_all()
    for service, operations in services.items():
        for name, operation in operations():
            yield f"{service}: {name}", operation


def request(method: str, address: str, status: int = 200, make: Make | None = None, **more: Any) -> Operation:
    """An operation of one request, which must get this `status`.

    The number of the repetition replaces `{n}` in the address; `make` returns further arguments for it.
    """
    client = Metered()

    def operation(number: int) -> Spent:
        path, _, query = address.replace("{n}", str(number)).partition("?")
        reply = client.request(method, path, **{"query": query, **more, **(make(number) if make else {})})
        assert reply.status == status, f"{method} {path}: {reply.status} {reply.body[:300]!r}"
        return client.spent

    return operation


def of_all() -> Operations:
    yield "health check", request("GET", "/healthz")
    yield "unknown path", request("GET", "/no/such/path", 404)


def of_luarocks() -> Operations:
    key = credentials.create(accounts.create("cost-rocks", "rocks@example.org"), "luarocks")[1]
    client, agent = Metered(), {"User-Agent": "LuaSocket/3.1.0"}

    def upload(name: str, version: str) -> Any:
        files = {"rockspec_file": ("x.rockspec", rockspec(name, version))}
        return client.post(f"/api/1/{key}/upload", files=files).json["version"]["id"]

    def upload_rock(number: int) -> Spent:
        name, version = f"cost-{number}", "1.0-1"
        file = {"rock_file": (f"{name}-{version}.src.rock", rock(name, version))}
        path = f"/api/1/{key}/upload_rock/{upload(name, version)}"
        assert client.post(path, files=file).status == 200
        return client.spent

    def verify(number: int) -> Spent:
        account = accounts.create(f"cost-{number}", f"cost-{number}@example.org")
        own, enrolment = credentials.create(account, "luarocks")[1], two_factor.enable(account)
        form = {"code": pyotp.TOTP(enrolment.secret).now()}
        assert client.post(f"/api/1/{own}/verify_tfa", form=form).status == 200
        return client.spent

    made = upload("cost-read", "1.0-1")
    with settings.override(max_body=2 * LIMIT):
        for arch, size in (("src", 500), ("linux-x86_64", LIMIT // 2)):
            content = rock("cost-read", payload=os.urandom(size).hex())
            file = {"rock_file": (f"cost-read-1.0-1.{arch}.rock", content)}
            reply = client.post(f"/api/1/{key}/upload_rock/{made}", files=file)
            assert reply.status == 200, reply.body
    while not (date := client.get("/manifest-5.1.zip").header("last-modified")):
        time.sleep(0.2)  # a manifest has a date from two seconds after its change on
    known = {**agent, "If-Modified-Since": date}
    yield "manifest, zipped, for `luarocks install`", request("GET", "/manifest-5.1.zip", headers=agent)
    yield "manifest, not modified", request("GET", "/manifest-5.1.zip", 304, headers=known)
    yield "manifest as text", request("GET", "/manifest-5.1", headers=agent)
    yield "manifest of one account", request("GET", "/manifests/author7/manifest-5.1.zip", headers=agent)
    yield "rockspec", request("GET", "/cost-read-1.0-1.rockspec", headers=agent)
    yield "rock of 2 KB", request("GET", "/cost-read-1.0-1.src.rock", headers=agent)
    yield "rock of 4.6 MB, through a link", request("GET", "/cost-read-1.0-1.linux-x86_64.rock", 302, headers=agent)
    yield "search", request("GET", "/api/1/modules?q=json+{n}")
    yield "one module", request("GET", "/api/1/modules/lua-date-7")
    yield (
        "check whether a version exists",
        request("GET", f"/api/1/{key}/check_rockspec?package=cost-read&version=1.0-1"),
    )
    yield (
        "upload a rockspec",
        request(
            "POST",
            f"/api/1/{key}/upload",
            make=lambda number: {"files": {"rockspec_file": ("x", rockspec("cost-new", f"{number}.0-1"))}},
        ),
    )
    yield "upload a rock", upload_rock
    yield "open an upload slot", request("POST", f"/api/1/{key}/upload_slot")
    yield "verify a second factor", verify


def of_contentdb() -> Operations:
    author = accounts.create("cost-mods", "mods@example.org")
    bearer = {"Authorization": "Bearer " + credentials.create(author, "contentdb")[1]}
    judge = accounts.create("cost-judge", "judge@example.org", rank="ADMIN")  # exempt from the rate limits of reviews
    admin = {"Authorization": "Bearer " + credentials.create(judge, "contentdb")[1]}
    client, game = Metered(), {"User-Agent": "Luanti/5.17.1 (Linux/6.1.0 x86_64)", "Accept-Encoding": "gzip"}
    numbers = itertools.count()

    def made() -> str:
        """The API path of a new package, because the number of releases per package and hour is limited."""
        name = f"mod{next(numbers)}"
        draft(f"cost-mods/{name}")
        wake()
        return f"/api/packages/cost-mods/{name}"

    def release(_: int) -> Spent:
        path = made()
        files = {"file": ("x.zip", zipped({**MOD, "mod.conf": f"name = {path.rpartition('/')[2]}"}))}
        assert client.post(f"{path}/releases/new/", headers=bearer, form={"title": "1.0"}, files=files).status == 200
        return client.spent

    def check(number: int) -> Spent:
        release(number)
        return wake()

    def screenshot(_: int) -> Spent:
        files = {"file": ("x.png", picture())}
        reply = client.post(f"{made()}/screenshots/new/", headers=bearer, form={"title": "x"}, files=files)
        images.append(urlsplit(reply.json["screenshot"]["url"]).path)
        return client.spent

    images: list[str] = []
    check(0)
    change("cost-mods/mod0", state="APPROVED")
    review = {"json": {"rating": 5, "title": "It does what it should", "comment": "I would *buy* it again."}}
    screenshot(0)
    yield "package list in the game", request("GET", f"/api/packages/?{GAMES_LIST}", headers=game)
    yield "whole list", request("GET", "/api/packages/", headers=game)
    yield "search", request("GET", "/api/packages/?type=mod&q=iron+{n}&fmt=keys", headers=game)
    yield "one package", request("GET", "/api/packages/author7/iron_7/", headers=game)
    yield "releases of a package", request("GET", "/api/packages/author7/iron_7/releases/", headers=game)
    yield (
        "package dialog in the game",
        request("GET", f"/api/packages/author7/iron_7/for-client/?{DIALOG}", headers=game),
    )
    yield (
        "reviews in the game",
        request("GET", f"/api/packages/cost-mods/mod0/for-client/reviews/?{DIALOG}", headers=game),
    )
    yield "package page, in a browser", request("GET", "/packages/author7/iron_7/", headers=BROWSER)
    yield "statistics of a package", request("GET", "/api/packages/author7/iron_7/stats/")
    yield "scores", request("GET", "/api/scores/", headers={"Accept-Encoding": "gzip"})
    yield "homepage", request("GET", "/api/homepage/")
    yield (
        "dependencies of a package",
        request("GET", "/api/packages/author7/iron_7/dependencies/?only_hard=1", headers=game),
    )
    yield "updates", request("GET", "/api/updates/", headers=game)
    yield (
        "download, through a link",
        request(
            "GET",
            "/packages/cost-mods/mod0/download/?reason=new",
            302,
            headers=game,
        ),
    )
    yield "thumbnail", request("GET", images[0].replace("/uploads/", "/thumbnails/1/"))
    yield "create a release from a zip", release
    yield "job: check a release", check
    yield "add a screenshot", screenshot
    yield "review a package", request("PUT", "/api/packages/cost-mods/mod0/reviews/", headers=admin, **review)
    yield (
        "edit a package",
        request(
            "PUT",
            "/api/packages/cost-mods/mod0/",
            headers=bearer,
            make=lambda number: {"json": {"title": f"Cost {number}"}},
        ),
    )


def of_hel() -> Operations:
    author = accounts.create("cost-oc", "oc@example.org", "wonderland")
    bearer = {"Authorization": "Bearer " + credentials.create(author, "hel")[1]}
    client = Metered()

    def stored(number: int) -> dict[str, Any]:
        return {"query": "name=cost.lua", "body": f"print({number})".encode()}

    path = client.post("/hel/files", headers=bearer, **stored(0)).json["data"]["url"]
    yield "list", request("GET", "/packages")
    yield "search", request("GET", "/packages?q=robot+{n}")
    yield "one package", request("GET", "/packages/package-7")
    yield "index", request("GET", "/hel/index", headers={"Accept-Encoding": "gzip"})
    yield "stored file", request("GET", urlsplit(path).path)
    yield (
        "log in",
        request("POST", "/auth", json={"action": "log-in", "nickname": "cost-oc", "password": "wonderland"}),
    )
    yield (
        "publish a package",
        request(
            "POST",
            "/packages",
            201,
            headers=bearer,
            make=lambda number: {"json": package(f"cost-{number}", owners=["cost-oc"])},
        ),
    )
    yield (
        "add a version",
        request(
            "PATCH",
            "/packages/cost-1",
            204,
            headers=bearer,
            make=lambda number: {
                "json": {"versions": {f"2.0.{number}": {**package()["versions"]["1.0.0"], "changes": ""}}}
            },
        ),
    )
    yield "store a file", request("POST", "/hel/files", 201, headers=bearer, make=stored)


def of_luadns() -> Operations:
    account = accounts.create("cost-dns", "dns@example.org")
    accounts.switch(account, "luadns_enabled", True)
    key = {"Authorization": basic("dns@example.org", credentials.create(account, "luadns")[1]), "Accept": "*/*"}
    client = Metered()
    zone = client.post("/v1/zones", headers=key, json={"name": "example.com"}).json["id"]
    records = f"/v1/zones/{zone}/records"
    many = [{"name": f"host{n}.example.com.", "type": "A", "content": f"192.0.2.{n}"} for n in range(30)]
    assert client.post(f"{records}/create_many", headers=key, json=many).status == 200
    numbers, challenge = itertools.count(), {"name": "_acme-challenge.example.com.", "type": "TXT", "ttl": 60}

    def make(_: int) -> dict[str, Any]:
        return {"json": {**challenge, "content": f"token-{next(numbers)}"}}

    def take(number: int) -> Spent:
        record = client.post(records, headers=key, **make(number)).json["id"]
        assert client.request("DELETE", f"{records}/{record}", headers=key).status == 200
        return client.spent

    def publish(number: int) -> Spent:
        wake()
        assert client.post(records, headers=key, **make(number)).status == 200
        return wake()

    wake()
    yield "list zones", request("GET", "/v1/zones", headers=key)
    yield "one zone of 30 records", request("GET", f"/v1/zones/{zone}", headers=key)
    yield "records of a zone", request("GET", records, headers=key)
    yield "delete a record", take
    yield "job: publish the zone at Route 53", publish
    yield "add a record", request("POST", records, headers=key, make=make)
    yield (
        "create a zone",
        request("POST", "/v1/zones", headers=key, make=lambda number: {"json": {"name": f"cost-{number}.example"}}),
    )


def of_account() -> Operations:
    account = accounts.create("cost-person", "person@example.org", "wonderland")
    entry = {"username": "cost-person", "password": "wonderland"}
    session = {"Authorization": "Bearer " + credentials.create(account, credentials.SESSION)[1]}
    yield "log in", request("POST", "/account/api/log-in", json=entry)
    yield "current account", request("GET", "/account/api/me", headers=session)
    yield "overview, in a browser", request("GET", "/account", headers={**session, **BROWSER})
    yield "create a key", request("POST", "/account/api/keys", 201, headers=session, json={"service": "hel"})


def of_jobs() -> Operations:
    def tick(number: int) -> Spent:
        return meter.measure(lambda: moonbase.run_jobs(sample("schedule"), None))[1]

    def repeat(name: str) -> Operation:
        return lambda number: meter.measure(lambda: job_runner.run_now(name))[1]

    yield "job: scheduled function, nothing due", tick
    yield "job: queue function, nothing due", lambda _: wake()
    for name, job in sorted(registry.current().repeating_jobs.items()):
        yield f"job: {name}, every {job.every} s, nothing new", repeat(name)


def wake() -> Spent:
    """The cost of the queue function, called for one message."""
    return meter.measure(lambda: moonbase.wake_jobs(sample("sqs"), None))[1]
