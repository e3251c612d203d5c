"""The request sequences of lux, over TLS: search, install, upload, namespaces and private reads."""

import json
import ssl
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pyotp
import pytest

from tests.client import multipart
from tests.luarocks.builders import rock, rockspec
from tests.luarocks.lux import Lux, LuxError
from tests.servers import Server, moonbase, serving
from tests.standalone.test_gateway import self_signed

_numbers = count()
MakeLux = Callable[..., Lux]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    self_signed(cert, key)
    return cert, key


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Server]:
    cert, key = map(str, certificate)
    data = tmp_path_factory.mktemp("server") / "data"
    with serving(data, "--tls-cert", cert, "--tls-key", key, scheme="https") as running:
        yield running


@pytest.fixture(scope="module")
def alice_key(server: Server) -> str:
    return server.make_key("Alice")


@pytest.fixture(scope="module")
def bob_key(server: Server) -> str:
    return server.make_key("Bob")


@pytest.fixture
def make_lux(server: Server, certificate: tuple[Path, Path]) -> MakeLux:
    context = ssl.create_default_context(cafile=str(certificate[0]))

    def make(path: str = "/", **configuration: str) -> Lux:
        return Lux(server.url.replace("127.0.0.1", "localhost") + path, context, **configuration)

    return make


@pytest.fixture
def name() -> str:
    """A module name that no other test uses."""
    return f"module{next(_numbers)}"


def test_it_uploads_searches_and_installs(make_lux: MakeLux, alice_key: str, name: str) -> None:
    lux, source = make_lux(), rockspec(name)
    assert lux.upload(alice_key, name, "1.0", source) == "1.0-1"
    key = alice_key
    assert lux.requests == [
        "GET /manifest-5.1.zip",
        "POST /api/tool_version",
        f"GET /api/1/{key}/status",
        f"GET /api/1/{key}/check_rockspec?package={name}&version=1.0-1",
        f"POST /api/1/{key}/upload",
    ]
    assert lux.search(name) == [f"{name} 1.0-1"]
    assert lux.install(name) == source


def test_it_uploads_the_same_rockspec_once_and_another_one_as_the_next_revision(
    make_lux: MakeLux, alice_key: str, name: str
) -> None:
    lux = make_lux()
    lux.upload(alice_key, name, "1.0", rockspec(name))
    with pytest.raises(LuxError, match=f"{name} 1.0-1 already exists"):
        lux.upload(alice_key, name, "1.0", rockspec(name))
    assert lux.upload(alice_key, name, "1.0", rockspec(name, lua="lua >= 5.2")) == "1.0-2"


def test_it_reads_the_errors_of_a_refused_upload(make_lux: MakeLux, alice_key: str, name: str) -> None:
    with pytest.raises(LuxError, match="Mandatory field source is missing"):
        make_lux().upload(alice_key, name, "1.0", f'package = "{name}" version = "1.0-1"'.encode())
    with pytest.raises(LuxError, match="the key is invalid"):
        make_lux().upload("x" * 40, name, "1.0", rockspec(name))


def test_it_exchanges_a_code_for_a_token(server: Server, make_lux: MakeLux, name: str) -> None:
    key = server.make_key(f"totp{name}")
    with pytest.raises(LuxError, match="Two-factor authentication is not enabled on this account"):
        make_lux().upload(key, name, "1.0", rockspec(name), code="000000")
    enabled = moonbase(server.data, "two-factor", "enable", f"totp{name}", "--require-for-uploads")
    with pytest.raises(LuxError, match="Two-factor authentication required"):
        make_lux().upload(key, name, "1.0", rockspec(name))
    with pytest.raises(LuxError, match="Invalid verification code"):
        make_lux().upload(key, name, "1.0", rockspec(name), code="000000")
    lux = make_lux()
    code = pyotp.TOTP(enabled["secret"]).now()
    assert lux.upload(key, name, "1.0", rockspec(name), code=code) == "1.0-1"
    assert lux.requests[-2] == f"GET /api/1/{key}/verify_tfa?code={code}"


def test_it_installs_a_rock_for_all_systems_after_one_404(
    server: Server, make_lux: MakeLux, alice_key: str, name: str
) -> None:
    lux = make_lux()
    lux.upload(alice_key, name, "1.0", rockspec(name))
    number = version_id(lux, alice_key, name)
    send_rock(lux, alice_key, number, f"{name}-1.0-1.all.rock", rock(name))
    lux.requests.clear()
    assert lux.install(name) == rock(name)
    assert lux.requests == [
        "GET /manifest-5.1.zip",
        f"GET /{name}-1.0-1.linux-x86_64.rock",
        f"GET /{name}-1.0-1.all.rock",
    ]


@pytest.mark.parametrize(("root", "version"), [("", "1.0"), ("dev/", "scm")])
def test_a_namespace_finds_the_files_of_its_modules_at_the_root(
    make_lux: MakeLux, bob_key: str, name: str, root: str, version: str
) -> None:
    """lux reads the manifest of the user, and takes the files from the root."""
    make_lux().upload(bob_key, name, version, rockspec(name))
    assert make_lux(namespace="bob").install(name, root) == rockspec(name, f"{version}-1")


def test_the_root_serves_no_file_of_a_module_that_is_not_there(
    make_lux: MakeLux, alice_key: str, bob_key: str, name: str
) -> None:
    make_lux().upload(alice_key, name, "1.0", rockspec(name))
    make_lux().upload(bob_key, name, "9.0", rockspec(name))
    with pytest.raises(LuxError, match=f"{name}-9.0-1.rockspec: 404"):
        make_lux(namespace="bob").install(name)
    assert make_lux("/manifests/bob/").install(name) == rockspec(name, "9.0-1")


@pytest.mark.parametrize(("root", "version"), [("", "1.0"), ("dev/", "scm")])
def test_the_root_of_a_user_is_a_whole_server(
    make_lux: MakeLux, alice_key: str, bob_key: str, name: str, root: str, version: str
) -> None:
    make_lux().upload(alice_key, name, version, rockspec(name))
    mine = rockspec(name, f"{version}-1", lua="lua >= 5.1, < 5.5")
    make_lux().upload(bob_key, name, version, mine)
    assert make_lux("/manifests/bob/").install(name, root) == mine
    assert make_lux("/manifests/alice/").install(name, root) == rockspec(name, f"{version}-1")


@pytest.mark.parametrize("form", ["{}", "OAuth2:{}", "PAT:{}"])
def test_it_reads_a_private_server_with_its_token(tmp_path: Path, certificate: tuple[Path, Path], form: str) -> None:
    cert, key = map(str, certificate)
    options = ("--tls-cert", cert, "--tls-key", key, "--workers", "1")
    private = {"MOONBASE_LUAROCKS_READS": "key"}
    with serving(tmp_path / "data", *options, scheme="https", environment=private) as server:
        secret = server.make_key("Alice")
        url = server.url.replace("127.0.0.1", "localhost") + "/"
        lux = Lux(url, ssl.create_default_context(cafile=cert), token=form.format(secret))
        lux.upload(secret, "say", "1.0", rockspec("say"))
        assert lux.install("say") == rockspec("say")
        with pytest.raises(LuxError, match="manifest: 401"):
            Lux(url, lux.context).search("say")


def test_its_copy_of_a_manifest_is_checked_with_head(make_lux: MakeLux, alice_key: str, name: str) -> None:
    make_lux().upload(alice_key, name, "1.0", rockspec(name))
    for path in ("manifest-5.1.zip", "manifest-5.1", "manifests/alice/manifest-5.1.zip", "dev/manifest-5.4.zip"):
        status, body, _ = make_lux().read(path, "HEAD")
        assert (status, body) == (200, b"")


def version_id(lux: Lux, key: str, name: str) -> int:
    _, body, _ = lux.send("GET", f"api/1/{key}/check_rockspec?package={name}&version=1.0-1")
    return int(json.loads(body)["version"]["id"])


def send_rock(lux: Lux, key: str, number: int, filename: str, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=BoundaryQ"}
    body = multipart({}, {"rock_file": (filename, content)})
    assert lux.send("POST", f"api/1/{key}/upload_rock/{number}", body, **headers)[0] == 200
