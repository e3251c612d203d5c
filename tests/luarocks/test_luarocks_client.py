"""Debian's luarocks against a real server: its output, with each JSON library and each HTTP transport."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pyotp
import pytest

from tests.luarocks.luarocks_command import Done, LuaRocks
from tests.servers import Server, moonbase, serving

TRANSPORTS = ["LuaSocket", "wget"]
_numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def alice_key(server: Server) -> str:
    return server.make_key("Alice")


@pytest.fixture(params=TRANSPORTS)
def luarocks(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> LuaRocks:
    return LuaRocks(server, tmp_path, transport=request.param)


@pytest.fixture
def name() -> str:
    """A module name that no other test uses."""
    return f"module{next(_numbers)}"


def assert_succeeds(done: Done) -> None:
    assert (done.returncode, done.stderr.replace("No existing manifest. Attempting to rebuild...\n", "")) == (0, "")


def assert_fails(done: Done, message: str) -> None:
    assert done.returncode != 0
    assert message in done.stderr


@pytest.mark.parametrize("json", ["cjson", "dkjson"])
@pytest.mark.parametrize("luarocks", [*TRANSPORTS, "no_proxy"], indirect=True)
def test_it_uploads_searches_and_installs(luarocks: LuaRocks, alice_key: str, name: str, json: str) -> None:
    luarocks.json = json
    done = luarocks.upload(alice_key, luarocks.module(name))
    assert_succeeds(done)
    assert f"Will create new module ({name})" in done.stdout
    assert f"{name}-1.0-1.src.rock" in done.stdout
    assert f"Done: {luarocks.server.url}/modules/alice/{name}" in done.stdout

    found = luarocks.run("search", name, f"--only-server={luarocks.server.url}", "--porcelain")
    assert found.stdout.splitlines() == [
        f"{name}\t1.0-1\trockspec\t{luarocks.server.url}",
        f"{name}\t1.0-1\tsrc\t{luarocks.server.url}",
    ]
    assert_succeeds(luarocks.install(name))
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"


@pytest.mark.parametrize("json", ["cjson", "dkjson"])
def test_it_uploads_a_version_twice_only_when_forced(luarocks: LuaRocks, alice_key: str, name: str, json: str) -> None:
    luarocks.json, rockspec = json, luarocks.module(name)
    assert_succeeds(luarocks.upload(alice_key, "--skip-pack", rockspec))
    again = luarocks.upload(alice_key, "--skip-pack", rockspec)
    assert_fails(again, "Revision 1.0-1 already exists on the server")
    assert_succeeds(luarocks.upload(alice_key, "--force", rockspec))


@pytest.mark.parametrize("json", ["cjson", "dkjson"])
@pytest.mark.parametrize(
    ("luarocks", "message"),
    [
        ("LuaSocket", "Error: Invalid key (use the --api-key flag to change)\n"),
        ("wget", "Error: API failure: failed downloading"),  # it does not show the server's text
    ],
    indirect=["luarocks"],
)
def test_it_shows_the_error_for_an_invalid_key(luarocks: LuaRocks, message: str, json: str) -> None:
    luarocks.json = json
    assert_fails(luarocks.upload("nonsense", "--skip-pack", luarocks.module("refused")), message)


def test_it_stores_a_key_that_the_server_accepts(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    rockspec = luarocks.module(name)
    done = luarocks.run("upload", f"--server={luarocks.server.url}", f"--api-key={alice_key}", "--skip-pack", rockspec)
    assert_succeeds(done)
    assert alice_key in (luarocks.home / ".luarocks" / "upload_config.lua").read_text()


def test_it_downloads_the_rock_that_was_uploaded(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    assert_succeeds(luarocks.upload(alice_key, luarocks.module(name)))
    file = luarocks.home / f"{name}-1.0-1.src.rock"
    uploaded = file.read_bytes()
    file.unlink()
    assert_succeeds(luarocks.run("download", name, f"--only-server={luarocks.server.url}"))
    assert file.read_bytes() == uploaded


def test_it_installs_a_new_version_immediately(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    for version in ("1.0-1", "1.1-1"):
        assert_succeeds(luarocks.upload(alice_key, luarocks.module(name, version)))
        luarocks.clear_cache()
        assert_succeeds(luarocks.install(name, tree=version))
        assert luarocks.output_of(name, version) == f"this is {name} {version}"


def test_it_installs_the_dependencies_of_a_module(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    below = f"below_{name}"
    for version in ("1.0-1", "2.0-1", "3.0-1"):
        assert_succeeds(luarocks.upload(alice_key, "--skip-pack", luarocks.module(below, version)))
    assert_succeeds(luarocks.upload(alice_key, luarocks.module(name, "1.0-1", f"{below} >= 1.0, < 3.0")))
    assert_succeeds(luarocks.install(name))
    assert luarocks.output_of(below) == f"this is {below} 2.0-1"


def test_it_installs_from_a_users_manifest(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    assert_succeeds(luarocks.upload(alice_key, luarocks.module(name)))
    installed = luarocks.install(f"alice/{name}")
    assert_succeeds(installed)
    assert f"{luarocks.server.url}/manifests/alice/{name}-1.0-1.src.rock" in installed.stdout
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"


@pytest.mark.parametrize("user", ["", "alice/"])
def test_it_installs_a_development_version_with_dev(luarocks: LuaRocks, alice_key: str, name: str, user: str) -> None:
    for version in ("1.0-1", "scm-1"):
        assert_succeeds(luarocks.upload(alice_key, luarocks.module(name, version)))
    config = luarocks.home / "config.lua"
    config.write_text(f'rocks_servers = {{ "{luarocks.server.url}" }}\n')  # --only-server and --dev exclude each other
    luarocks.environment["LUAROCKS_CONFIG"] = str(config)
    assert_succeeds(luarocks.run("install", name, f"--tree={luarocks.home}/stable"))
    assert luarocks.output_of(name, "stable") == f"this is {name} 1.0-1"
    assert_succeeds(luarocks.run("install", "--dev", user + name, f"--tree={luarocks.home}/dev"))
    assert luarocks.output_of(name, "dev") == f"this is {name} scm-1"


def test_it_installs_from_a_custom_manifest(luarocks: LuaRocks, alice_key: str, name: str) -> None:
    other = f"other_{name}"
    for each in (name, other):
        assert_succeeds(luarocks.upload(alice_key, luarocks.module(each)))
    moonbase(luarocks.server.data, "luarocks", "manifest", "create", name, "--admin", "alice")
    moonbase(luarocks.server.data, "luarocks", "manifest", "add", name, f"alice/{name}")
    custom = f"{luarocks.server.url}/m/{name}"
    assert_succeeds(luarocks.install(name, server=custom))
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"
    assert_fails(luarocks.install(other, server=custom), "No results matching query were found")


def test_it_finds_no_archived_version_but_installs_it_from_its_url(
    luarocks: LuaRocks, alice_key: str, name: str
) -> None:
    for version in ("1.0-1", "2.0-1"):
        assert_succeeds(luarocks.upload(alice_key, luarocks.module(name, version)))
    moonbase(luarocks.server.data, "luarocks", "archive", f"alice/{name}", "--version", "2.0-1")
    assert_succeeds(luarocks.install(name))
    assert luarocks.output_of(name) == f"this is {name} 1.0-1"
    assert_fails(luarocks.install(name, "2.0-1"), "No results matching query were found")
    assert_succeeds(luarocks.install(f"{luarocks.server.url}/{name}-2.0-1.src.rock", tree="locked"))
    assert luarocks.output_of(name, "locked") == f"this is {name} 2.0-1"


def test_it_signs_uploads_and_verifies_installations(
    luarocks: LuaRocks, alice_key: str, name: str, gnupg: Path
) -> None:
    luarocks.environment["GNUPGHOME"] = str(gnupg)
    done = luarocks.upload(alice_key, "--sign", luarocks.module(name))
    assert_succeeds(done)
    assert f"Signed rockspec: {name}-1.0-1.rockspec.asc" in done.stdout
    installed = luarocks.install("--verify", name)
    assert installed.returncode == 0
    assert 'Good signature from "rocks@example.org"' in installed.stderr

    # A rock in place of another one, as on a server after a break-in.
    assert_succeeds(luarocks.upload(alice_key, luarocks.module(name, "2.0-1")))
    luarocks.clear_cache()
    assert_fails(luarocks.install("--verify", name, tree="unsigned"), f"{name}-2.0-1.src.rock.asc")


def test_it_uploads_within_an_upload_window(luarocks: LuaRocks, name: str) -> None:
    user = f"carol-{luarocks.transport}"
    key = luarocks.server.make_key(user)
    enrolment = moonbase(luarocks.server.data, "two-factor", "enable", user, "--require-for-uploads")
    rockspec = luarocks.module(name)
    refused = {"LuaSocket": "API Failed: Two-factor authentication required", "wget": "API failure: /upload"}
    assert_fails(luarocks.upload(key, rockspec), refused[luarocks.transport])

    code = pyotp.TOTP(enrolment["secret"]).now()
    assert luarocks.server.post_form(f"/api/1/{key}/upload_window", code=code)[0] == 200
    assert_succeeds(luarocks.upload(key, rockspec))


def test_it_verifies_with_the_signers_key_only(server: Server, alice_key: str, tmp_path: Path, gnupg: Path) -> None:
    luarocks = LuaRocks(server, tmp_path, environment={"GNUPGHOME": str(gnupg)})
    assert_succeeds(luarocks.upload(alice_key, "--sign", luarocks.module("strange")))
    stranger = tmp_path / "gnupg"
    stranger.mkdir(0o700)
    luarocks.environment["GNUPGHOME"] = str(stranger)
    assert_fails(luarocks.install("--verify", "strange"), "GPG returned a verification error")
    shutil.rmtree(stranger)
