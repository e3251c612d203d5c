"""dns-lexicon's client and apache-libcloud's driver, unmodified, against a running server."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.luadns.served import EMAIL, Served, served
from tests.servers import MOONBASE

PYTHON = MOONBASE.parent / ".venv-clients" / "bin" / "python"

# Each script gets the API's URL, an e-mail address and a key. It appends its results to the list `seen`.
LEXICON = """
from lexicon.client import Client
from lexicon.config import ConfigResolver
from lexicon._private.providers.luadns import Provider

original = Provider.__init__

def patched(self, config):
    original(self, config)
    self.api_endpoint = f"{url}/v1"  # there is no option for it

Provider.__init__ = patched

def client(domain="example.com", token=key):
    given = {"provider_name": "luadns", "action": "list", "domain": domain, "type": "TXT", "delegated": domain}
    given["luadns"] = {"auth_username": email, "auth_token": token}
    return Client(ConfigResolver().with_dict(given))
"""
LIBCLOUD = """
from libcloud.dns.drivers.luadns import LuadnsDNSDriver
from libcloud.common.luadns import LuadnsException

driver = LuadnsDNSDriver(email, key, secure=False, host=host, port=port)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("clients") / "data") as running:
        yield running


def run(server: Served, tmp_path: Path, library: str, script: str) -> Any:
    """Run a script with a client library, and return its list `seen`."""
    assert PYTHON.exists(), "make clients"
    url = server.server.url
    given = f"url, email, key = {url!r}, {EMAIL!r}, {server.key!r}\nhost, port = {urlsplit(url).hostname!r}, "
    given += f"{urlsplit(url).port}\nseen = []\n"
    program = f"import json\n{given}{library}\n{script}\nprint(json.dumps(seen))\n"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run([str(PYTHON), "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lexicon_creates_finds_updates_and_deletes_records(server: Served, tmp_path: Path) -> None:
    zone = server.zone("example.com")
    seen = run(
        server,
        tmp_path,
        LEXICON,
        """
def list_records(**query):
    return [[row["type"], row["name"], row["content"], row["ttl"]] for row in operations.list_records(**query)]

with client() as operations:
    for _ in range(2):  # the second call finds the record and sends nothing
        seen.append(operations.create_record("TXT", "_acme-challenge.www", "token one"))
    seen.append(operations.create_record("TXT", "_acme-challenge.www", "token two"))
    seen.append(operations.create_record("A", "host.example.com.", "192.0.2.7"))
    seen.append(operations.create_record("SRV", "_sip._tcp", "0 5 5060 sip.example.com."))
    seen.append(list_records(rtype="TXT"))
    seen.append(list_records(rtype="A", name="host"))
    identifier = operations.list_records("A", "host")[0]["id"]
    seen.append(operations.update_record(identifier, "A", "moved", "192.0.2.8"))
    seen.append(list_records(rtype="A"))
    seen.append(operations.delete_record(None, "TXT", "_acme-challenge.www", "token one"))
    seen.append(operations.delete_record(identifier))
    seen.append(list_records(rtype="TXT") + list_records(rtype="A"))
""",
    )
    challenge = "_acme-challenge.www.example.com"
    assert seen == [
        *[True] * 5,
        [["TXT", challenge, "token one", 3600], ["TXT", challenge, "token two", 3600]],
        [["A", "host.example.com", "192.0.2.7", 3600]],
        True,
        [["A", "moved.example.com", "192.0.2.8", 3600]],
        True,
        True,
        [["TXT", challenge, "token two", 3600]],
    ]
    rows = server.call("GET", f"/zones/{zone}/records")
    assert [row["type"] for row in rows] == ["SOA", "NS", "NS", "SRV", "TXT"]


@pytest.mark.parametrize("length", [255, 256, 512, 513, 4000])
def test_lexicon_finds_a_text_of_any_length(server: Served, tmp_path: Path, length: int) -> None:
    name = f"long{length}.example.org"
    server.zone(name)
    script = f"""
with client({name!r}) as operations:
    seen.append(operations.create_record("TXT", "t", "x" * {length}))
    seen.append(len(operations.list_records("TXT", "t", "x" * {length})))
    seen.append(operations.delete_record(None, "TXT", "t", "x" * {length}))
    seen.append(len(operations.list_records("TXT")))
"""
    assert run(server, tmp_path, LEXICON, script) == [True, 1, True, 0]


def test_lexicon_reports_errors(server: Served, tmp_path: Path) -> None:
    server.zone("example.net")
    script = """
for domain, token in (("nowhere.example", key), ("example.net", "nonsense")):
    try:
        with client(domain, token):
            pass
    except Exception as error:
        seen.append(str(error).partition(" for url")[0])
with client("example.net") as operations:
    try:
        operations.create_record("A", "host", "nonsense")
    except Exception as error:
        seen.append(str(error).partition(" for url")[0])
"""
    assert run(server, tmp_path, LEXICON, script) == [
        "No domain found",
        "401 Client Error: Unauthorized",
        "400 Client Error: Bad Request",
    ]


def test_libcloud_creates_lists_and_deletes_zones_and_records(server: Served, tmp_path: Path) -> None:
    seen = run(
        server,
        tmp_path,
        LIBCLOUD,
        """
zone = driver.create_zone("libcloud.example")
seen.append([zone.domain, zone.extra["records_count"]])
seen.append(zone.id in [listed.id for listed in driver.list_zones()])
made = driver.create_record("www", zone, "A", "192.0.2.1", {"ttl": 13})
apex = driver.create_record("", zone, "TXT", "hello")
found = driver.get_record(zone.id, made.id)
seen.append([found.name, found.type, found.data, found.extra["ttl"]])
seen.append([record.name for record in driver.list_records(zone)])
seen.append([driver.delete_record(made), driver.delete_zone(driver.get_zone(zone.id))])
""",
    )
    assert seen == [
        ["libcloud.example", 3],
        True,
        ["www.libcloud.example.", "A", "192.0.2.1", 13],
        ["libcloud.example."] * 3 + ["www.libcloud.example.", "libcloud.example."],
        [True, True],
    ]


def test_libcloud_recognizes_errors_by_their_texts(server: Served, tmp_path: Path) -> None:
    zone = server.zone("known.example")
    script = f"""
def attempt(call, *arguments):
    try:
        call(*arguments)
    except LuadnsException as error:
        seen.append([error.code, error.message])
    except Exception as error:
        seen.append(type(error).__name__)

attempt(driver.create_zone, "known.example")
attempt(driver.get_zone, 999)
zone = driver.get_zone({zone})
attempt(driver.get_record, {zone}, 999)
attempt(driver.create_record, "www", zone, "A", "nonsense")
driver.delete_zone(zone)
attempt(driver.delete_zone, zone)
driver.connection.key = "nonsense"
attempt(driver.list_zones)
"""
    assert run(server, tmp_path, LIBCLOUD, script) == [
        "ZoneAlreadyExistsError",
        "ZoneDoesNotExistError",
        "RecordDoesNotExistError",
        [400, "content: invalid IPv4 address"],
        "ZoneDoesNotExistError",
        [401, "Invalid API Key"],
    ]
