"""What the API accepts can be exported, transferred into BIND and NSD, and is answered by them as by us."""

import subprocess
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import dns.flags
import pytest
from dns.message import Message

from tests.luadns.contents_at_random import CONTENTS, record
from tests.luadns.secondaries import PROGRAMS, ask, secondary, wait_for_serial
from tests.luadns.served import Served, served

ZONE = "fuzz.test"
CANDIDATES = 800


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOONBASE_LUADNS_TRANSFER_TO", "127.0.0.0/8")
        patch.setenv("MOONBASE_LUADNS_RATE", "0")
        with served(tmp_path_factory.mktemp("secondaries") / "data", "--workers", "1") as running:
            yield running


@pytest.fixture(scope="module")
def accepted(server: Served) -> list[dict[str, Any]]:
    """A zone of random records: all that the API accepts."""
    zone_id, random, made = server.zone(ZONE), Random(7), []
    for _ in range(CANDIDATES):
        with suppress(urllib.error.HTTPError):
            made.append(server.call("POST", f"/zones/{zone_id}/records", record(random)))
    return made


def soa(server: Served) -> str:
    zone_id = server.call("GET", f"/zones?query={ZONE}")[0]["id"]
    return next(row["content"] for row in server.call("GET", f"/zones/{zone_id}/records") if row["type"] == "SOA")


def shown(message: Message) -> tuple[int, bool, list[str], list[str]]:
    """The code, AA, and the records of two sections, in any order."""
    sections = [
        sorted(f"{each.name} {each.ttl} {rdata.to_text()}".lower() for each in section for rdata in each)
        for section in (message.answer, message.authority if not message.answer else [])
    ]
    return int(message.rcode()), bool(message.flags & dns.flags.AA), *sections


def test_most_candidates_of_every_type_are_accepted(accepted: list[dict[str, Any]]) -> None:
    assert len(accepted) > CANDIDATES / 2
    assert {row["type"] for row in accepted} >= set(CONTENTS) - {"ALIAS", "FORWARD", "REDIRECT"}


def test_an_export_is_a_zone_for_bind(server: Served, accepted: list[dict[str, Any]], tmp_path: Path) -> None:
    zone_id = server.call("GET", f"/zones?query={ZONE}")[0]["id"]
    (tmp_path / "zone").write_bytes(server.read(f"/zones/{zone_id}/export"))
    checks = ["-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore"]  # what is about other zones, or style
    done = subprocess.run(
        ["named-checkzone", *checks, ZONE, str(tmp_path / "zone")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_secondary_answers_as_we_do(
    server: Served, accepted: list[dict[str, Any]], name: str, tmp_path: Path
) -> None:
    with secondary(name, tmp_path / name, ZONE, server.dns_port) as port:
        wait_for_serial(port, ZONE, int(soa(server).split()[2]))
        different = {}
        for owner, type_ in sorted({(row["name"], row["type"]) for row in accepted}):
            if type_ in ("ALIAS", "FORWARD", "REDIRECT"):
                continue
            asked = owner.replace("*", "any")
            ours, theirs = shown(ask(server.dns_port, asked, type_)), shown(ask(port, asked, type_))
            if ours != theirs:
                different[asked, type_] = (ours, theirs)
        assert different == {}
