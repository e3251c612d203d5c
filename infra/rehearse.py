"""The rehearsal of a deploy: the package goes through CloudFormation, and real clients use what comes out.

MiniStack plays AWS and enforces IAM, so what the policies do not grant fails here as it would there.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from infra import ministack
from infra.ministack import MiniStack, Stack
from infra.package import BUILD
from infra.stages import STAGE

if TYPE_CHECKING:
    from chalicelib.core.tables import Account

NAME = "rehearsal"
ROCK, VERSION = "moonbase-say", "1.0-1"
ROCKSPEC = """\
package = "{rock}"
version = "{version}"
source = {{ url = "file://{archive}", dir = "say" }}
description = {{ summary = "Says something.", license = "MIT" }}
dependencies = {{ "lua >= 5.1" }}
build = {{ type = "builtin", modules = {{ ["moonbase.say"] = "say.lua" }} }}
"""
MODULE = 'return { hello = function() return "hello from the rehearsal" end }\n'
# What EventBridge sends on a schedule.
TICK = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-01-01T00:00:00Z",
    "region": ministack.REGION,
    "resources": [],
    "detail": {},
}
LOG_LINES = 60
QUEUE_PATIENCE = 30.0


class Failure(Exception):
    """The stack did not do what it should."""


def main() -> int:
    """Run every step, and print each with its seconds; returns the exit status."""
    began = time.monotonic()
    log = BUILD / "rehearsal.log"
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        with (
            tempfile.TemporaryDirectory() as scratch,
            ministack.running(ministack.HOME, log) as cloud,
        ):
            rehearse(cloud, Path(scratch))
    except Exception as error:
        print(f"✗ {type(error).__name__}: {error}", *_tail(log), sep="\n", file=sys.stderr)
        return 1
    print(f"✓ the rehearsal went well: {time.monotonic() - began:.1f} s")
    return 0


def rehearse(cloud: MiniStack, scratch: Path) -> None:
    """From the package to an installed rock."""
    with step("the stack stands"):
        stack = cloud.deploy(NAME, BUILD)
    _use(cloud, stack)
    with ministack.door(stack.host, f"/{STAGE}", cloud.port) as base:
        site = Site(urlsplit(base).netloc)
        with step("paths, methods and limits"):
            smoke(site)
        with step("an account and a key"):
            account, key = admit("Alice")
        with step("luarocks upload"):
            upload(base, key, scratch)
        with step("luarocks search and install"):
            install(base, scratch)
        with step("a rock that is too large for Lambda"):
            large_rock(site, key)
        with step("the second factor"):
            second_factor(site, account, key)
        with step("Hel: register, log in, publish, search, log out"):
            hel(site)
        with step("the promised jobs, by the clock"):
            run_jobs(cloud, stack)
        with step("the promised jobs, by the queue"):
            wake_jobs(stack)


class Site:
    """A host and port, request by request; nothing is followed or decoded."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers by lower-case name, body)."""
        connection = HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def expect(self, status: int, method: str, path: str, wanted: Any = None, body: bytes | None = None) -> None:
        """Raises Failure unless the answer has this status and, where `wanted` is given, is this JSON."""
        got, _, content = self.ask(method, path, body)
        if got != status or (wanted is not None and json.loads(content) != wanted):
            raise Failure(f"{method} {path}: {got} {content[:300]!r}, not {status} {wanted or ''}")


def smoke(site: Site) -> None:
    """What no single service owns: how paths, methods and large bodies come through the gateway."""
    version = {"version": "1.0.0"}
    for path in ("/api/tool_version", "/api/tool_version/", "//api//tool_version", "/api/tool%5Fversion?current=1%2e0"):
        site.expect(200, "GET", path, version)
    status, headers, content = site.ask("HEAD", "/api/tool_version")
    if (status, headers.get("content-length"), content) != (200, "19", b""):
        raise Failure(f"HEAD: {status} {headers} {content!r}")
    site.expect(200, "GET", "/")
    site.expect(200, "GET", "/manifest")
    site.expect(404, "GET", "/manifests/no%20body/manifest", {"errors": ["There is no such user."]})
    site.expect(404, "GET", "/no-such-1.0-1.rock", {"errors": ["There is no such file."]})
    site.expect(404, "GET", "/no/such/path", {"message": "There is nothing at this path."})
    site.expect(405, "PUT", "/api/tool_version", {"errors": ["This path does not take this method."]})
    site.expect(405, "DELETE", "/", {"message": "This path does not take this method."})
    site.expect(404, "DELETE", "/packages")  # Hel knows no 405
    site.expect(413, "POST", "/api/1/no-key/upload", body=bytes(4_613_735))


def admit(username: str) -> tuple["Account", str]:
    """Make an account with a LuaRocks key, as the command line does."""
    from chalicelib.core import accounts, credentials

    account = accounts.create(username, f"{username.lower()}@example.org", "wonderland")
    return account, credentials.create(account, "luarocks")[1]


def upload(base: str, key: str, scratch: Path) -> None:
    """Debian's client packs the source and uploads rockspec and rock."""
    (scratch / "say").mkdir()
    (scratch / "say" / "say.lua").write_text(MODULE)
    archive = shutil.make_archive(str(scratch / "say-1.0"), "gztar", scratch, "say")
    rockspec = scratch / f"{ROCK}-{VERSION}.rockspec"
    rockspec.write_text(ROCKSPEC.format(rock=ROCK, version=VERSION, archive=archive))
    told = luarocks(scratch, "upload", rockspec.name, f"--server={base}", f"--temp-key={key}")
    if "Done: " not in told:
        raise Failure(told)


def install(base: str, scratch: Path) -> None:
    """Debian's client finds the rock and builds it; Lua runs what it installed."""
    found = luarocks(scratch, "search", ROCK, f"--only-server={base}")
    if not re.search(rf"{VERSION} \(src\)", found) or not re.search(rf"{VERSION} \(rockspec\)", found):
        raise Failure(found)
    tree = scratch / "tree"
    luarocks(scratch, "install", ROCK, f"--tree={tree}", f"--only-server={base}")
    program = f'package.path = "{tree}/share/lua/5.1/?.lua"; print(require("moonbase.say").hello())'
    said = run(["lua5.1", "-e", program], scratch)
    if said != "hello from the rehearsal\n":
        raise Failure(said)


def large_rock(site: Site, key: str) -> None:
    """It comes from S3 by links that the function's role signs, one for GET and one for HEAD."""
    from chalicelib.core import credentials
    from chalicelib.luarocks import index, rocks

    caller = credentials.identify(key, "luarocks")
    module, version = rocks.find(index.catalogue.view(), int(caller.account.id), ROCK, VERSION)
    if module is None or version is None:
        raise Failure(f"{ROCK} {VERSION} is not there")
    name, content = f"{ROCK}-{VERSION}.linux-x86_64.rock", _rock(os.urandom(5_000_000))
    rocks.publish_rock(caller, rocks.target(caller, module["versions"][version]["id"]), name, content)
    for method, wanted in (("GET", content), ("HEAD", b"")):
        status, headers, _ = site.ask(method, f"/{name}")
        if status != 302:
            raise Failure(f"{method} {name}: {status}")
        link = urlsplit(headers["location"])
        status, headers, got = Site(link.netloc).ask(method, f"{link.path}?{link.query}")
        if status != 200 or got != wanted or headers["content-length"] != str(len(content)):
            raise Failure(f"{method} {name} from S3: {status} {headers} {got[:300]!r}")


def _rock(payload: bytes) -> bytes:
    """A rock with its rockspec and one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{ROCK}-{VERSION}.rockspec", f'package = "{ROCK}" version = "{VERSION}"')
        archive.writestr("payload", payload)
    return file.getvalue()


def second_factor(site: Site, account: "Account", key: str) -> None:
    """KMS seals the secret here and opens it there; the code buys the token that an upload then needs."""
    import pyotp

    from chalicelib.core import two_factor

    enrolment = two_factor.enable(account, required_for_uploads=True)
    refused, _, answer = site.ask("POST", f"/api/1/{key}/upload")
    if refused != 403 or not json.loads(answer).get("two_factor_required"):
        raise Failure(f"upload without a code: {refused} {answer!r}")
    form = urlencode({"code": pyotp.TOTP(enrolment.secret).now()}).encode()
    status, _, answer = site.ask(
        "POST", f"/api/1/{key}/verify_tfa", form, {"Content-Type": "application/x-www-form-urlencoded"}
    )
    if status != 200 or not json.loads(answer)["tfa_token"]:
        raise Failure(f"verify_tfa: {status} {answer!r}")


def hel(site: Site) -> None:
    """A package from its author's registration to somebody else's search."""
    about = {"nickname": "Bob", "email": "bob@example.org", "password": "builder"}
    site.expect(200, "POST", "/auth", body=json.dumps({"action": "register", **about}).encode())
    status, headers, _ = site.ask("POST", "/auth", json.dumps({"action": "log-in", **about}).encode())
    cookie = {"Cookie": headers.get("set-cookie", "").partition(";")[0]}
    package = {
        "name": "say",
        "description": "Says something.",
        "short_description": "Says something.",
        "authors": ["Bob"],
        "license": "MIT",
        "tags": ["demo"],
        "versions": {"1.0.0": {"files": {}, "depends": {}, "changes": "First."}},
        "screenshots": {},
    }
    status, _, answer = site.ask("POST", "/packages/", json.dumps(package).encode(), cookie)
    if status != 201:
        raise Failure(f"POST /packages: {status} {answer!r}")
    status, _, answer = site.ask("GET", "/packages?q=say")
    found = json.loads(answer)["data"]["list"] if status == 200 else []
    if [entry["name"] for entry in found] != ["say"] or found[0]["owners"] != ["Bob"]:
        raise Failure(f"GET /packages: {status} {answer!r}")
    site.ask("POST", "/auth", b'{"action": "log-out"}', cookie)
    status, _, answer = site.ask("POST", "/packages", b"{}", cookie)
    if status != 403 or json.loads(answer)["message"] != "Unauthorized: create_package failed permission check":
        raise Failure(f"POST /packages after the log-out: {status} {answer!r}")


def run_jobs(cloud: MiniStack, stack: Stack) -> None:
    """The scheduled function folds the catalogue, with rights of its own."""
    from chalicelib.core.tables import Head, Job

    promise_fold()
    answer = cloud.client("lambda").invoke(FunctionName=stack.outputs["RunJobsName"], Payload=json.dumps(TICK))
    if "FunctionError" in answer or list(Job.query("jobs")) or list(Job.query("jobs-dead")):
        raise Failure(f"run_jobs: {answer['Payload'].read()!r}, left {[job.error for job in Job.query('jobs-dead')]}")
    head = Head.find("catalogue#luarocks", "head")
    if head is None or head.snapshot_sequence != head.sequence:
        raise Failure("the catalogue was not folded")


def wake_jobs(stack: Stack) -> None:
    """A promise that is announced in the queue is kept without the clock; MiniStack's does not tick."""
    from chalicelib import settings
    from chalicelib.core.tables import Job

    with settings.override(queue=stack.outputs["Queue"]):
        promise_fold()
    limit = time.monotonic() + QUEUE_PATIENCE
    while list(Job.query("jobs", consistent_read=True)):
        if time.monotonic() > limit:
            raise Failure("nobody did the job that the queue announced")
        time.sleep(0.1)


def promise_fold() -> None:
    """Promise a fold of LuaRocks' catalogue."""
    from chalicelib.core import jobs
    from chalicelib.core.storage import Transaction

    writes = Transaction()
    jobs.promise(writes, "fold-catalogue", {"name": "luarocks"})
    writes.commit()


def luarocks(scratch: Path, *arguments: str) -> str:
    """Run Debian's client with a home and a cache of its own."""
    return run(["luarocks", "--lua-version=5.1", *arguments], scratch)


def run(command: list[str], scratch: Path) -> str:
    """Run a command in `scratch`; returns all it said, or raises Failure with it."""
    environment = {"HOME": str(scratch), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Failure(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print what was done and how long it took."""
    began = time.monotonic()
    yield
    print(f"✓ {name}: {time.monotonic() - began:.1f} s", flush=True)


def _use(cloud: MiniStack, stack: Stack) -> None:
    """Let the core in this process use the stack's store; it reads its settings when it is first imported."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOONBASE_"))]:
        del os.environ[name]
    os.environ.update(ministack.ROOT_CALLER)
    os.environ["AWS_ENDPOINT_URL"] = cloud.url
    os.environ["MOONBASE_TABLES"] = stack.outputs["Tables"]
    os.environ["MOONBASE_BLOBS"] = stack.outputs["Blobs"]
    os.environ["MOONBASE_KMS_KEY"] = stack.outputs["KmsKey"]


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []


if __name__ == "__main__":
    sys.exit(main())
