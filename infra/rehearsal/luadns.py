"""LuaDNS: a zone, the records that dns-lexicon creates in it, and the records at Route 53."""

import base64
import json
from typing import Any

from infra.ministack import MiniStack
from infra.rehearsal.installation import Failure, Installation, run
from infra.stages import ROOT

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
TEXT = "proof-of-the-rehearsal"
_SESSION = """
import sys
from lexicon.client import Client
from lexicon.config import ConfigResolver
from lexicon._private.providers.luadns import Provider

url, email, key, zone, text = sys.argv[1:]
made = Provider.__init__

def make(self, config):
    made(self, config)
    self.api_endpoint = f"{url}/v1"  # there is no option for it

Provider.__init__ = make
given = {"provider_name": "luadns", "action": "list", "domain": zone, "type": "TXT", "delegated": zone}
given["luadns"] = {"auth_username": email, "auth_token": key}
with Client(ConfigResolver().with_dict(given)) as session:
    session.create_record("TXT", "_acme-challenge", text)
    session.create_record("TXT", "_acme-challenge", "another")
    session.create_record("A", "host", "192.0.2.7")
    identifier = session.list_records("A", "host")[0]["id"]
    session.update_record(identifier, "A", "host", "192.0.2.8")
    session.delete_record(None, "TXT", "_acme-challenge", "another")
    print(sorted((row["type"], row["content"]) for kind in ("A", "TXT") for row in session.list_records(kind)))
"""


def publish(installation: Installation, username: str, key: str, zone: str) -> None:
    """Create a zone, and let dns-lexicon create, change, list and delete records in it."""
    email = f"{username.lower()}@example.org"
    status, answer = _ask(installation, email, key, "POST", "/v1/zones", {"name": zone})
    if status != 200:
        raise Failure(f"POST /v1/zones: {status} {answer}")
    if not PYTHON.exists():
        raise Failure("dns-lexicon is not installed: run `make clients`")
    output = run([str(PYTHON), "-c", _SESSION, installation.url, email, key, zone, TEXT], installation.scratch)
    if output != f"[('A', '192.0.2.8'), ('TXT', '{TEXT}')]\n":
        raise Failure(f"dns-lexicon: {output}")


def read(installation: Installation, username: str, key: str, zone: str) -> None:
    """Check that the zone has the records of dns-lexicon."""
    email = f"{username.lower()}@example.org"
    _, zones = _ask(installation, email, key, "GET", "/v1/zones")
    (found,) = (one for one in zones if one["name"] == zone)
    _, records = _ask(installation, email, key, "GET", f"/v1/zones/{found['id']}/records")
    stored = {(record["type"], record["content"]) for record in records}
    if not {("A", "192.0.2.8"), ("TXT", TEXT)} <= stored:
        raise Failure(f"{zone} has {stored}")


def at_route_53(cloud: MiniStack, zone: str) -> None:
    """Check that the hosted zone has the records of dns-lexicon."""
    client = cloud.client("route53")
    (hosted,) = (one for one in client.list_hosted_zones()["HostedZones"] if one["Name"] == f"{zone}.")
    sets = client.list_resource_record_sets(HostedZoneId=hosted["Id"])["ResourceRecordSets"]
    stored = {(one["Name"], one["Type"], record["Value"]) for one in sets for record in one["ResourceRecords"]}
    wanted = {(f"host.{zone}.", "A", "192.0.2.8"), (f"_acme-challenge.{zone}.", "TXT", f'"{TEXT}"')}
    if not wanted <= stored:
        raise Failure(f"Route 53 has {stored}")


def _ask(installation: Installation, email: str, key: str, method: str, path: str, sent: Any = None) -> tuple[int, Any]:
    credentials = base64.b64encode(f"{email}:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
    body = json.dumps(sent).encode() if sent is not None else None
    status, _, answer = installation.site.request(method, path, body, headers)
    return status, json.loads(answer)
