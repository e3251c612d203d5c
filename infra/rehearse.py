"""The rehearsal of a deploy: the real commands deploy the package to MiniStack, and real clients use the result.

MiniStack emulates AWS and enforces IAM, so a call that the policies do not grant fails here as it would on AWS.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from infra import environment, ministack
from infra.ministack import MiniStack
from infra.package import BUILD
from infra.rehearsal import account, contentdb, evaluator, hel, jobs, lifecycle, luadns, luarocks, migration, smoke
from infra.rehearsal.installation import HttpClient, Installation, step
from infra.rehearsal.lifecycle import Lifecycle
from infra.stages import STAGE

NAME = "rehearsal"
HOSTS = ("rocks.rehearsal.example", "dns.rehearsal.example")
ROCK, PACKAGE, HEL, ZONE = "say", "Alice/say", "say", "example.net"
LOG_LINES = 60


def main() -> int:
    """Run every step, and print each with its duration; return the exit status."""
    began = time.monotonic()
    log = BUILD / "rehearsal.log"
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        with tempfile.TemporaryDirectory() as scratch, ministack.running(ministack.HOME, log) as cloud:
            rehearse(cloud, Path(scratch))
    except Exception as error:
        print(f"✗ {type(error).__name__}: {error}", *_tail(log), sep="\n", file=sys.stderr)
        return 1
    print(f"✓ the rehearsal has passed: {time.monotonic() - began:.1f} s")
    return 0


def rehearse(cloud: MiniStack, scratch: Path) -> None:
    """Deploy, import, use, update, roll back and remove a stack."""
    stack = Lifecycle(cloud, NAME, scratch)
    with step("deploy: a new stack, with two host names"):
        stack.deploy_package(BUILD, *_parameters(cloud))
    with (
        ministack.forwarding(HOSTS[0], "", cloud.port) as url,
        ministack.forwarding(
            f"{stack.outputs()['RestAPIId']}.execute-api.localhost:{cloud.port}", "", cloud.port
        ) as bare,
        ministack.forwarding(HOSTS[1], "", cloud.port) as other,
    ):
        installation = Installation(url, _site(url), ("--stack", NAME), cloud.environment(), scratch)
        moved = move(installation, scratch)
        _use(cloud)
        names = jobs.make_repeats_due(cloud, stack.outputs()["RunJobsName"])
        with step("paths, methods and limits; every service, by every name"):
            smoke.smoke(installation.site)
            smoke.services(installation.site)
            smoke.services(_site(other))
            smoke.without_host_name(_site(bare), STAGE)
        key = use(cloud, installation)
        with step("untrusted Lua: in a function without secrets and rights"):
            evaluator.isolated(cloud, installation, key, stack.outputs()["EvaluatorName"])
        with step("jobs: run by a call of the function, and by the queue"):
            jobs.called(cloud, stack.outputs()["RunJobsName"])
            jobs.woken()
        with step("repeating jobs: run by the schedule"):
            jobs.repeated(names)
        with step("deploy: a second version whose entries have one more field, and a rollback"):
            lifecycle.serves(installation, "1.0.0")
            stack.deploy_package(lifecycle.second_version(BUILD, scratch / "second"))
            lifecycle.serves(installation, "1.0.1")
            hel.read(installation, "Bob", HEL)
            migration.read(installation, moved)
            stack.deploy("--artefact", "previous")
            lifecycle.serves(installation, "1.0.0")
            hel.read(installation, "Bob", HEL)
            luarocks.install(installation, ROCK)
        with step("the second factor"):
            luarocks.second_factor(installation, "Alice", key)
    with step("remove: data remain, and nothing else"):
        lifecycle.end(stack)


def move(installation: Installation, scratch: Path) -> migration.MovedData:
    """Fill a one-machine server, and move its data to the stack; return values of the data for later reads."""
    with migration.one_machine(scratch) as machine:
        with step("one machine: data of each service"):
            moved = migration.fill(machine)
        with step("export, import with a progress bar, and reads by clients"):
            migration.move(machine, installation)
            migration.read(installation, moved)
    return moved


def use(cloud: MiniStack, installation: Installation) -> str:
    """Use every service with its clients; return Alice's key for LuaRocks."""
    with step("the first admin"):
        installation.moonbase("user", "create", "Alice", "--email", "alice@example.org", "--admin")
    with step("LuaRocks: upload, search and install, by Debian's client"):
        key = installation.key("Alice", "luarocks")
        luarocks.publish(installation, key, ROCK)
        luarocks.install(installation, ROCK)
    with step("LuaRocks: a rock that is too large for Lambda, through a slot and links"):
        luarocks.large_rock(installation, key, ROCK)
    with step("ContentDB: releases by slot and by request, check, approval, download"):
        token = installation.key("Alice", "contentdb")
        content = contentdb.publish(installation, token, PACKAGE, slot=True)
        contentdb.read(installation, PACKAGE, content)
        contentdb.read(installation, PACKAGE, contentdb.release(installation, token, *PACKAGE.split("/"), slot=False))
    with step("LuaDNS: dns-lexicon, and then Route 53; an imported zone"):
        installation.moonbase("luadns", "enable", "Alice")
        luadns.publish(installation, "Alice", installation.key("Alice", "luadns"), ZONE)
        luadns.at_route_53(cloud, ZONE)
        installation.moonbase("luadns", "sync", migration.ZONE)
        luadns.at_route_53(cloud, migration.ZONE)
    with step("Account: register by invitation, log in, pages, a key"):
        account.register(installation, "Carol")
        account.use(installation, "Carol")
    with step("Hel: register, log in, publish, search, log out"):
        hel.publish(installation, "Bob", HEL)
        hel.read(installation, "Bob", HEL)
    return key


def _parameters(cloud: MiniStack) -> list[str]:
    """The stack's parameters: two host names with their certificate, and an address for alarms."""
    certificate = cloud.client("acm").request_certificate(DomainName="*.rehearsal.example")
    return [
        f"HostName={HOSTS[0]}",
        f"HostName2={HOSTS[1]}",
        f"Certificate={certificate['CertificateArn']}",
        "AlarmEmail=ops@rehearsal.example",
    ]


def _site(url: str) -> HttpClient:
    return HttpClient(urlsplit(url).netloc)


def _use(cloud: MiniStack) -> None:
    """Let the core in this process use the stack's tables: its first import reads the environment."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOONBASE_"))]:
        del os.environ[name]
    os.environ.update(cloud.environment())
    environment.use_stack(NAME)


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []


if __name__ == "__main__":
    sys.exit(main())
