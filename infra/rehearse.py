"""The rehearsal of a deploy: the commands put the package on AWS, and real clients use what comes out.

MiniStack plays AWS and enforces IAM, so what the policies do not grant fails here as it would there.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from infra import ministack
from infra.ministack import MiniStack
from infra.package import BUILD
from infra.rehearsal import account, contentdb, hel, jobs, life, luadns, luarocks, moving, smoke
from infra.rehearsal.life import Life
from infra.rehearsal.place import Place, Site, step
from infra.stages import STAGE

NAME = "rehearsal"
HOSTS = ("rocks.rehearsal.example", "dns.rehearsal.example")
ROCK, PACKAGE, HEL, ZONE = "say", "Alice/say", "say", "example.net"
LOG_LINES = 60


def main() -> int:
    """Run every step, and print each with its seconds; returns the exit status."""
    began = time.monotonic()
    log = BUILD / "rehearsal.log"
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        with tempfile.TemporaryDirectory() as scratch, ministack.running(ministack.HOME, log) as cloud:
            rehearse(cloud, Path(scratch))
    except Exception as error:
        print(f"✗ {type(error).__name__}: {error}", *_tail(log), sep="\n", file=sys.stderr)
        return 1
    print(f"✓ the rehearsal went well: {time.monotonic() - began:.1f} s")
    return 0


def rehearse(cloud: MiniStack, scratch: Path) -> None:
    """From the package to its end."""
    stack = Life(cloud, NAME, scratch)
    with step("deploy: a new stack, with two host names"):
        stack.deploy_package(BUILD, *_parameters(cloud))
    with (
        ministack.door(HOSTS[0], "", cloud.port) as url,
        ministack.door(f"{stack.outputs()['RestAPIId']}.execute-api.localhost:{cloud.port}", "", cloud.port) as bare,
        ministack.door(HOSTS[1], "", cloud.port) as other,
    ):
        place = Place(url, _site(url), ("--stack", NAME), cloud.environment(), scratch)
        moved = move(place, scratch)
        _use(cloud)
        names = jobs.forget_repeats(cloud, stack.outputs()["RunJobsName"])
        with step("paths, methods and limits; every service, by every name"):
            smoke.smoke(place.site)
            smoke.services(place.site)
            smoke.services(_site(other))
            smoke.without_host_name(_site(bare), STAGE)
        key = use(cloud, place)
        with step("the promised jobs, by a call and by the queue"):
            jobs.called(cloud, stack.outputs()["RunJobsName"])
            jobs.woken()
        with step("the repeating jobs, by the clock"):
            jobs.repeated(names)
        with step("deploy: a second version, and back"):
            life.serves(place, "1.0.0")
            stack.deploy_package(life.second_version(BUILD, scratch / "second"))
            life.serves(place, "1.0.1")
            moving.read(place, moved)
            stack.deploy("--artefact", "previous")
            life.serves(place, "1.0.0")
            luarocks.install(place, ROCK)
        with step("the second factor"):
            luarocks.second_factor(place, "Alice", key)
    with step("remove: data stay, and nothing else"):
        life.end(stack)


def move(place: Place, scratch: Path) -> moving.Moved:
    """Fill a one-machine server, and move it."""
    with moving.one_machine(scratch) as machine:
        with step("one machine: something of each service"):
            moved = moving.fill(machine)
        with step("export, import with a progress bar, and clients that find it all"):
            moving.move(machine, place)
            moving.read(place, moved)
    return moved


def use(cloud: MiniStack, place: Place) -> str:
    """What each service's clients do; returns Alice's key for LuaRocks."""
    with step("the first admin"):
        place.moonbase("user", "create", "Alice", "--email", "alice@example.org", "--admin")
    with step("LuaRocks: upload, search and install, by Debian's client"):
        key = place.key("Alice", "luarocks")
        luarocks.publish(place, key, ROCK)
        luarocks.install(place, ROCK)
    with step("LuaRocks: a rock that is too large for Lambda, by a slot and back by links"):
        luarocks.large_rock(place, key, ROCK)
    with step("ContentDB: releases by slot and by request, check, approval, download"):
        token = place.key("Alice", "contentdb")
        content = contentdb.publish(place, token, PACKAGE, slot=True)
        contentdb.read(place, PACKAGE, content)
        contentdb.read(place, PACKAGE, contentdb.release(place, token, *PACKAGE.split("/"), slot=False))
    with step("LuaDNS: dns-lexicon, and Route 53 after it; a zone that was moved"):
        place.moonbase("luadns", "enable", "Alice")
        luadns.publish(place, "Alice", place.key("Alice", "luadns"), ZONE)
        luadns.at_route_53(cloud, ZONE)
        place.moonbase("luadns", "sync", moving.ZONE)
        luadns.at_route_53(cloud, moving.ZONE)
    with step("Account: register by invitation, log in, pages, a key"):
        account.register(place, "Carol")
        account.use(place, "Carol")
    with step("Hel: register, log in, publish, search, log out"):
        hel.publish(place, "Bob", HEL)
        hel.read(place, "Bob", HEL)
    return key


def _parameters(cloud: MiniStack) -> list[str]:
    """Two host names with their certificate, and who hears of alarms."""
    asked = cloud.client("acm").request_certificate(DomainName="*.rehearsal.example")
    return [
        f"HostName={HOSTS[0]}",
        f"HostName2={HOSTS[1]}",
        f"Certificate={asked['CertificateArn']}",
        "AlarmEmail=ops@rehearsal.example",
    ]


def _site(url: str) -> Site:
    return Site(urlsplit(url).netloc)


def _use(cloud: MiniStack) -> None:
    """Let the core in this process use the stack's store; it reads its settings when it is first imported."""
    from commands import stack

    for name in [name for name in os.environ if name.startswith(("AWS_", "MOONBASE_"))]:
        del os.environ[name]
    os.environ.update(cloud.environment())
    stack.enter(NAME)


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []


if __name__ == "__main__":
    sys.exit(main())
