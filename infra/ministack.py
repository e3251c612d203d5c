"""MiniStack, an emulator of AWS on loopback: installs and starts it, and forwards requests to its API Gateway."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from boto3 import Session
from botocore.config import Config

from infra import memory
from infra.package import BUILD
from infra.ports import free_port

HOME = BUILD / "ministack"  # its own virtual environment, because it pins another version of botocore
PINS = ("ministack==1.5.33", "aws-sam-translator==1.115.0")
REGION = "us-east-1"
# The credentials of MiniStack's root user; code in its Lambda gets those of the function's role.
ROOT_CREDENTIALS = {"AccessKeyId": "test", "SecretAccessKey": "test"}
ROOT_CALLER = {
    "AWS_ACCESS_KEY_ID": ROOT_CREDENTIALS["AccessKeyId"],
    "AWS_SECRET_ACCESS_KEY": ROOT_CREDENTIALS["SecretAccessKey"],
    "AWS_DEFAULT_REGION": REGION,
}
TIMEOUT_SECONDS = 60.0
_SCRATCH_BYTES = 2 * 1024**3  # each function is unpacked several times, into thousands of files


class MiniStack:
    """A running MiniStack."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._session = Session()

    def environment(self) -> dict[str, str]:
        """The environment variables that make a process use it, with all rights."""
        return {**ROOT_CALLER, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str, credentials: Mapping[str, str] = ROOT_CREDENTIALS) -> Any:
        """A boto3 client of one of its services, with all rights or with credentials in the form of STS."""
        return self._session.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(read_timeout=TIMEOUT_SECONDS * 5, retries={"total_max_attempts": 1}),
        )


def adapted(template: dict[str, Any]) -> dict[str, Any]:
    """The template, changed where MiniStack differs from AWS."""
    resources = template["Resources"]
    # It does not read x-amazon-apigateway-binary-media-types in the API's body.
    resources["RestAPI"]["Properties"]["BinaryMediaTypes"] = ["*/*"]
    for name, resource in list(resources.items()):
        # It refuses alarms on the sum of several metrics.
        sums = "Metrics" in resource.get("Properties", {})
        # It serves http only, and enforces the policy that denies http.
        if sums or resource["Type"] == "AWS::S3::BucketPolicy":
            del resources[name]
        # It knows no resource for this action, so no policy could name one.
        for statement in _statements(resource):
            if statement["Action"] == "route53:GetChange":
                statement["Resource"] = "*"
    return template


def _statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a role's policies."""
    policies = resource.get("Properties", {}).get("Policies", [])
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


@contextmanager
def running(home: Path, log: Path) -> Iterator[MiniStack]:
    """Run MiniStack until the block ends; it is installed in `home` first if necessary."""
    python = install(home)
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOONBASE_"))},
        **ROOT_CALLER,
        "AUTH": "true",  # enforces IAM: signatures, and the policies of the functions' roles
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
    }
    with log.open("wb") as output, tempfile.TemporaryDirectory(dir=memory.directory(_SCRATCH_BYTES)) as scratch:
        environment["TMPDIR"] = scratch  # it unpacks functions there and does not delete them
        server = subprocess.Popen(
            [python, "-m", "ministack"],
            cwd=home,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(server, port)
            yield MiniStack(port)
        finally:
            _stop(server)


@contextmanager
def forwarding(host: str, prefix: str, port: int) -> Iterator[str]:
    """Serve a base URL on loopback that forwards to `host` and `prefix`: real clients cannot set a Host header."""
    handler = partial(_Forwarder, host, prefix, port)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Forwarder(BaseHTTPRequestHandler):
    """Forwards each request with another host and prefix, otherwise unchanged."""

    def __init__(self, host: str, prefix: str, port: int, *arguments: Any) -> None:
        self._host, self._prefix, self._port = host, prefix, port
        super().__init__(*arguments)

    def handle_one_request(self) -> None:
        """Forward a request with any method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        self.close_connection = True
        forwarded = HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        forwarded.putrequest(self.command, self._prefix + self.path, skip_host=True, skip_accept_encoding=True)
        forwarded.putheader("Host", self._host)
        if "Accept" not in self.headers:
            # LuaSocket sends none. With the binary type */* API Gateway reportedly needs none either; MiniStack
            # would return the Base64 of the Lambda's response.
            forwarded.putheader("Accept", "*/*")
        for name, value in self.headers.items():
            if name.lower() not in ("host", "connection", "te"):
                forwarded.putheader(name, value)
        forwarded.endheaders(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        response = forwarded.getresponse()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(response.read())


def install(home: Path) -> Path:
    """Create a virtual environment with MiniStack, unless it exists; return its Python."""
    python = home / "bin" / "python"
    pins = home / "pins.txt"
    wanted = "\n".join(PINS)
    if not pins.exists() or pins.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINS], check=True)
        pins.write_text(wanted)
    return python


def _wait(server: "subprocess.Popen[bytes]", port: int) -> None:
    limit = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < limit and server.poll() is None:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5),
        ):
            return
        time.sleep(0.1)
    raise RuntimeError("MiniStack does not start")


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """Stop it with its Lambda workers, which are in its process group."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, 15)
    with suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, 9)
    server.wait()


if __name__ == "__main__":
    install(HOME)
