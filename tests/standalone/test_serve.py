"""`moonbase serve` with TLS, proxies, several servers, and full or read-only disks."""

import json
import os
import resource
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from infra.ports import free_port
from tests.servers import MOONBASE, moonbase, rock, serving
from tests.standalone.test_gateway import self_signed


def startup_error(data: Path, *arguments: str) -> str:
    """Run `serve`, which must fail to start, and return its error."""
    command = [sys.executable, str(MOONBASE), "--data", str(data), "--json", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2), done.stderr
    return str(json.loads(done.stdout)["error"])


def test_every_worker_notices_read_only_mode_within_seconds(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--workers", "2") as server:
        key = server.make_key("alice")
        assert moonbase(tmp_path / "data", "read-only", "on", "--text", "Back at noon.")["read_only"]
        time.sleep(3.5)
        answers = [server.upload_rockspec(key) for _ in range(8)]
        assert answers == [(503, {"errors": ["Back at noon."]})] * 8
        assert server.get("/manifest")[0] == 200
        moonbase(tmp_path / "data", "read-only", "off")
        time.sleep(3.5)
        assert server.upload_rockspec(key)[0] == 200


def test_a_new_data_directory_is_announced(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, str(MOONBASE), "--data", str(data), "serve", "--port", "0"]
    for is_new in (True, False):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            head = "".join(next(process.stdout) for _ in range(5))
            process.terminate()
            assert (f"\n{data} is a new, empty data directory." in head) is is_new


def test_tls_uses_a_renewed_certificate_after_sighup(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(cert, key)
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--workers", "1")
    with serving(tmp_path / "data", *options, scheme="https") as server:
        port = int(server.url.rpartition(":")[2])
        first = cert.read_text()
        context = ssl.create_default_context(cafile=str(cert))
        with urllib.request.urlopen(f"https://localhost:{port}/healthz", timeout=30, context=context) as answer:
            assert json.load(answer) == {"status": "ok"}
        assert ssl.get_server_certificate(("localhost", port)).split() == first.split()
        self_signed(cert, key)
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while ssl.get_server_certificate(("localhost", port)).split() != cert.read_text().split():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        server.process.terminate()
        assert server.process.wait(30) == 0


def test_http_and_https_are_served_at_once(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    self_signed(cert, key)
    plain = free_port()
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--http-port", str(plain), "--workers", "2")
    with serving(tmp_path / "data", *options, scheme="https") as server:
        address = f"localhost:{server.url.rpartition(':')[2]}"
        context = ssl.create_default_context(cafile=str(cert))
        with urllib.request.urlopen(f"https://{address}/hel/module", timeout=30, context=context) as answer:
            assert f'hel.URL = "https://{address}/"' in answer.read().decode()
        for _ in range(4):
            with urllib.request.urlopen(f"http://localhost:{plain}/hel/module", timeout=30) as answer:
                assert f'hel.URL = "http://localhost:{plain}/"' in answer.read().decode()
        server.process.terminate()
        assert server.process.wait(30) == 0
    message = "--http-port is for a server with TLS: without --tls-cert, --port serves http"
    assert message in startup_error(tmp_path / "data", "--http-port", "0")


def test_only_a_trusted_proxy_can_set_the_client_address(tmp_path: Path) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    for options, client in (((), "127.0.0.1"), (("--trusted-proxies", "10.0.0.0/8, 127.0.0.1"), "203.0.113.9")):
        with serving(tmp_path / "data", "--workers", "1", *options) as server:
            assert server.get("/healthz", **forwarded)[0] == 200
        assert f": {client} GET /healthz 200 15 " in (tmp_path / "server.log").read_text()


def test_a_download_above_the_limit_is_redirected_to_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_MAX_ANSWER", "1000")
    content = rock("say", "1.0-1", os.urandom(3_000_000))
    with serving(tmp_path / "data") as server:
        key = server.make_key("alice")
        version = server.upload_rockspec(key)[1]["version"]["id"]
        assert server.upload_rock(key, version, "say-1.0-1.src.rock", content)[0] == 200
        for _ in range(6):  # several times, so that different workers create and serve the link
            with urllib.request.urlopen(f"{server.url}/say-1.0-1.src.rock", timeout=30) as answer:
                assert answer.read() == content
                assert answer.url.startswith(f"{server.url}/.blobs/luarocks/")


def test_two_servers_share_a_data_directory(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as one, serving(tmp_path / "data") as other:
        key = one.make_key("alice")
        for number, server in enumerate((one, other, one, other), 1):
            assert server.upload_rockspec(key, f"{number}.0-1")[0] == 200
        manifests = [server.get("/manifest") for server in (one, other)]
    assert manifests[0] == manifests[1]
    assert manifests[0][1].count(b'["') >= 4
    assert moonbase(tmp_path / "data", "fsck")["faults"] == []


def test_a_full_disk_is_an_error_without_partial_writes(tmp_path: Path) -> None:
    """A limit of the file size makes writes fail as on a full disk."""
    with serving(tmp_path / "data", "--workers", "1") as server:
        key = server.make_key("alice")
        version = server.upload_rockspec(key)[1]["version"]["id"]
        before = server.get("/manifest")
        (worker,) = server.workers()
        limit_files(worker, 2_000_000)
        large = rock("say", "1.0-1", bytes(4_000_000))
        reply = server.upload_rock(key, version, "say-1.0-1.src.rock", large)
        assert reply == (507, {"errors": ["Failed to upload rock"]})
        limit_files(worker, 4096)
        status, body = server.upload_rockspec(key, "2.0-1")
        assert (status, body) == (507, {"errors": ["This server has no room to store that."]})
        assert server.get("/manifest") == before
        assert server.get(f"/api/1/{key}/status")[0] == 200  # although the use of the key cannot be recorded
        assert server.get("/healthz")[0] == 200
        limit_files(worker, resource.RLIM_INFINITY)
        assert server.upload_rockspec(key, "2.0-1")[0] == 200
    assert moonbase(tmp_path / "data", "fsck")["faults"] == []
    assert list((tmp_path / "data" / "blobs").rglob(".draft-*")) == []


def limit_files(process: int, size: int) -> None:
    """Limit the size of the files that a process can write; larger writes fail."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_serve_fails_to_start_if_the_directory_is_not_writable(tmp_path: Path) -> None:
    """A directory with the name of the key file makes writes fail, also for root, which ignores permissions."""
    data = tmp_path / "data"
    (data / "key").mkdir(parents=True)
    assert "key" in startup_error(data, "--port", "0")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--trusted-proxies", "anywhere"], "'anywhere' does not appear to be an IPv4 or IPv6 network"),
        (["--trusted-proxies", "10.0.0.1/8"], "10.0.0.1/8 has host bits set"),
        (["--tls-cert", __file__], "--tls-cert and --tls-key need each other"),
        (["--tls-cert", __file__, "--tls-key", __file__], "are not a certificate and its key"),
        (["--tls-cert", "/nowhere", "--tls-key", __file__], "File '/nowhere' does not exist."),
    ],
)
def test_invalid_options_are_errors_before_the_start(tmp_path: Path, arguments: list[str], error: str) -> None:
    assert error in startup_error(tmp_path / "data", *arguments)
