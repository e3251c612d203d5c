"""certbot's LuaDNS plugin gets a certificate from pebble with a DNS challenge on our name server."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.ports import free_port
from tests.luadns.served import EMAIL, Served, served
from tests.servers import MOONBASE, wait_for

CERTBOT = MOONBASE.parent / ".venv-clients" / "bin" / "certbot"

# lexicon has no option for the API's URL.
SITECUSTOMIZE = """
import os
from lexicon._private.providers.luadns import Provider

original = Provider.__init__

def patched(self, config):
    original(self, config)
    self.api_endpoint = os.environ["LUADNS_URL"]

Provider.__init__ = patched
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("certbot") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pebble")])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "pebble.pem"
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture(scope="module")
def directory(server: Served, certificate: Path) -> Iterator[str]:
    """The directory URL of a pebble that uses our name server."""
    port = free_port()
    config = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": "",
        "certificate": str(certificate),
        "privateKey": str(certificate),
        "httpPort": free_port(),
        "tlsPort": free_port(),
    }
    path = certificate.with_name("pebble.json")
    path.write_text(json.dumps({"pebble": config}))
    environment = {"PATH": os.environ["PATH"], "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    with path.with_name("pebble.log").open("wb") as log:
        command = ["pebble", "-config", str(path), "-dnsserver", f"127.0.0.1:{server.dns_port}"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for(port, process)
            yield f"https://127.0.0.1:{port}/dir"
        finally:
            process.terminate()
            process.wait(10)


def certbot(
    server: Served, directory: str, certificate: Path, home: Path, key: str, *domains: str
) -> "subprocess.CompletedProcess[str]":
    assert CERTBOT.exists(), "make clients"
    (home / "sitecustomize.py").write_text(SITECUSTOMIZE)
    credentials = home / "credentials.ini"
    credentials.touch(0o600)
    credentials.write_text(f"dns_luadns_email = {EMAIL}\ndns_luadns_token = {key}\n")
    arguments = [
        *("certonly", "--non-interactive", "--agree-tos", "--email", EMAIL, "--server", directory),
        *("--authenticator", "dns-luadns", "--dns-luadns-credentials", str(credentials)),
        *("--dns-luadns-propagation-seconds", "0"),
        *("--config-dir", str(home / "config"), "--work-dir", str(home), "--logs-dir", str(home / "logs")),
        *(argument for domain in domains for argument in ("--domain", domain)),
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(home),
        "LUADNS_URL": f"{server.server.url}/v1",
        "REQUESTS_CA_BUNDLE": str(certificate),
    }
    return subprocess.run(
        [str(CERTBOT), *arguments], cwd=home, env=environment, capture_output=True, text=True, timeout=120
    )


def test_certbot_gets_a_certificate_for_apex_name_and_wildcard_and_removes_its_records(
    server: Served, directory: str, certificate: Path, tmp_path: Path
) -> None:
    zone_id = server.zone("example.com")
    before = server.call("GET", f"/zones/{zone_id}/records")
    domains = ["example.com", "*.example.com", "deep.www.example.com"]
    done = certbot(server, directory, certificate, tmp_path, server.key, *domains)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Successfully received certificate." in done.stdout
    issued = x509.load_pem_x509_certificate((tmp_path / "config/live/example.com/cert.pem").read_bytes())
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(names.get_values_for_type(x509.DNSName)) == sorted(domains)
    after = server.call("GET", f"/zones/{zone_id}/records")
    assert [record["id"] for record in after] == [record["id"] for record in before]


def test_certbot_reports_an_invalid_key(server: Served, directory: str, certificate: Path, tmp_path: Path) -> None:
    done = certbot(server, directory, certificate, tmp_path, "nonsense", "www.example.net")
    assert done.returncode == 1
    assert "401 Client Error: Unauthorized" in done.stderr + done.stdout
    assert "(Are your email and API token values correct?)" in done.stderr + done.stdout


def test_certbot_reports_a_missing_zone(server: Served, directory: str, certificate: Path, tmp_path: Path) -> None:
    done = certbot(server, directory, certificate, tmp_path, server.key, "www.example.net")
    assert done.returncode == 1
    assert "Unable to determine zone identifier for www.example.net" in done.stderr + done.stdout
