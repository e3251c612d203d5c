"""The move of a one-machine server to AWS: data of each service are exported, and imported into the stack."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.ports import free_port
from infra.rehearsal import contentdb, hel, luadns, luarocks
from infra.rehearsal.installation import Failure, HttpClient, Installation, until
from infra.stages import ROOT

ROCK, PACKAGE, HEL, ZONE = "moved", "Mover/moved", "moved", "example.org"


@dataclass(frozen=True)
class MovedData:
    """Values of the moved data that `read` compares: a key for LuaDNS, and the bytes of a release."""

    luadns_key: str
    release: bytes


@contextmanager
def one_machine(scratch: Path) -> Iterator[Installation]:
    """Run `./moonbase serve` on an empty data directory."""
    port, data = free_port(), str(scratch / "data")
    command = [sys.executable, str(ROOT / "moonbase"), "--data", data, "serve", "--port", str(port), "--workers", "1"]
    environment = {"HOME": str(scratch), "PATH": os.environ["PATH"]}
    with (scratch / "one-machine.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        installation = Installation(
            f"http://127.0.0.1:{port}", HttpClient(f"127.0.0.1:{port}"), ("--data", data), {}, scratch
        )
        try:
            until("the one-machine server", lambda: _answers(installation.site))
            yield installation
        finally:
            server.terminate()
            server.wait(30)


def fill(installation: Installation) -> MovedData:
    """Store data of each service, with its clients."""
    installation.account("Mover")
    luarocks.publish(installation, installation.key("Mover", "luarocks"), ROCK)
    release = contentdb.publish(installation, installation.key("Mover", "contentdb"), PACKAGE, slot=False)
    installation.moonbase("luadns", "enable", "Mover")
    key = installation.key("Mover", "luadns")
    luadns.publish(installation, "Mover", key, ZONE)
    hel.publish(installation, "HelMover", HEL)
    return MovedData(key, release)


def move(source: Installation, target: Installation) -> None:
    """Export, and import at a terminal, which must show the progress."""
    file = str(source.scratch / "moved.tar")
    source.moonbase("export", file)
    terminal, end = os.openpty()
    shown: list[bytes] = []
    watching = threading.Thread(target=_watch, args=(terminal, shown))
    watching.start()
    command = [sys.executable, str(ROOT / "moonbase"), *target.arguments, "import", file]
    environment = {"HOME": str(target.scratch), "PATH": os.environ["PATH"], "TERM": "xterm", **target.environment}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=end, timeout=120)
    os.close(end)
    watching.join()
    seen = b"".join(shown)
    if done.returncode or b"importing" not in seen or b"100%" not in seen:
        raise Failure(f"import: {done.returncode} {done.stdout!r} {seen!r}")


def read(installation: Installation, moved: MovedData) -> None:
    """Check that clients find their data in the new installation."""
    luarocks.install(installation, ROCK)
    contentdb.read(installation, PACKAGE, moved.release)
    luadns.read(installation, "Mover", moved.luadns_key, ZONE)
    hel.read(installation, "HelMover", HEL)


def _answers(site: HttpClient) -> bool:
    try:
        return site.request("GET", "/healthz")[0] == 200
    except OSError:
        return False


def _watch(terminal: int, shown: list[bytes]) -> None:
    while True:
        try:
            shown.append(os.read(terminal, 4096))
        except OSError:  # the other end is closed
            os.close(terminal)
            return
