"""What the functions load when they start: what every request needs, and nothing that only some do."""

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from infra.stages import ROOT

EVERYWHERE = {"botocore", "orjson", "pynamodb"}  # of requirements.txt; and Chalice, which is in the package anyway


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a fresh interpreter has after the app."""
    code = "import app, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    return set(json.loads(done.stdout))


def requirements() -> set[str]:
    """The distributions that the functions are packaged with."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return {match[0].lower() for line in lines if (match := re.match(r"[A-Za-z0-9_.-]+", line))}


def test_no_library_is_loaded_that_only_some_requests_need(loaded: set[str]) -> None:
    lazy = requirements() - EVERYWHERE
    assert {"pillow", "dnspython", "lupa", "cryptography"} < lazy
    names = {name for name, owners in packages_distributions().items() if {owner.lower() for owner in owners} & lazy}
    assert {"PIL", "dns", "lupa", "cryptography", "markdown_it", "nh3", "argon2", "Stemmer", "multipart"} < names
    assert {name.partition(".")[0] for name in loaded} & names == set()


def test_of_aws_clients_only_the_core_is_loaded(loaded: set[str]) -> None:
    """Not boto3; and of the standard library nothing that runs a server or a database."""
    assert loaded & {"boto3", "s3transfer", "moto", "sqlite3", "asyncio", "unittest", "http.server"} == set()
