"""At the cold start, the functions load the modules that every request needs, and none that only some requests need."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from infra.stages import ROOT

# The distributions of requirements.txt that every cold start loads; msgspec, because all entries are its structs.
EVERYWHERE = {"botocore", "msgspec", "orjson", "pynamodb", "urllib3"}

# Publishes a rock, and reads the manifest like a new process whose files are in a bucket.
READS = """
import json, sys
from dataclasses import replace
from pathlib import Path
from standalone.runtime import open_data
open_data(Path(sys.argv[1]))
from chalicelib import settings
from chalicelib.core import aws, registry
from chalicelib.core.identity import accounts, credentials
from tests.client import Client
from tests.luarocks.builders import rockspec
client, key = Client(), credentials.create(accounts.create("alice", "a@example.org", "wonderland"), "luarocks")[1]
client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x", rockspec())})
settings.install(replace(settings.current(), blobs="s3://bucket"))
for catalogue in registry.current().catalogues.values():
    catalogue.drop_cache()
loaded = []
for _ in range(2):
    manifest = client.get("/manifest-5.1.json")
    loaded.append((list(manifest.json["repository"]), "boto3" in sys.modules))
aws.client("s3")
print(json.dumps([*loaded, "boto3" in sys.modules]))
"""


def run(code: str, *arguments: str) -> Any:
    """The JSON that a fresh interpreter prints."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh interpreter has after the app."""
    return set(run("import app, json, sys; print(json.dumps(sorted(sys.modules)))"))


def requirements() -> set[str]:
    """The distributions that the functions are packaged with."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return {match[0].lower() for line in lines if (match := re.match(r"[A-Za-z0-9_.-]+", line))}


def test_libraries_that_only_some_requests_need_are_not_loaded(loaded: set[str]) -> None:
    lazy = requirements() - EVERYWHERE
    assert {"pillow", "dnspython", "lupa", "cryptography"} < lazy
    names = {name for name, owners in packages_distributions().items() if {owner.lower() for owner in owners} & lazy}
    assert {"PIL", "dns", "lupa", "cryptography", "pyromark", "nh3", "argon2", "Stemmer", "multipart"} < names
    assert {name.partition(".")[0] for name in loaded} & names == set()


def test_boto3_servers_and_databases_are_not_loaded(loaded: set[str]) -> None:
    """Of AWS' client libraries only botocore; of the standard library nothing that runs a server or a database."""
    assert loaded & {"boto3", "s3transfer", "moto", "sqlite3", "asyncio", "unittest", "http.server"} == set()


def test_boto3_is_loaded_by_the_first_call_of_s3_and_not_by_reads(tmp_path: Path) -> None:
    """A cold read of a short catalogue needs DynamoDB alone, and a warm one queries the changes there."""
    cold, warm, after = run(READS, str(tmp_path / "data"))
    assert (cold, warm, after) == ([["say"], False], [["say"], False], True)
