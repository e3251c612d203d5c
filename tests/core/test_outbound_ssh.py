"""Private Git repositories over SSH, from OpenSSH's server: keys that we make, and pinned host keys."""

import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from chalicelib import settings
from chalicelib.core import sealing
from chalicelib.core.confinement.workers import Confined
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.outbound import git, ssh_keys, ssh_urls
from chalicelib.core.outbound.ssh_urls import SshAddress, fingerprint
from chalicelib.core.storage import Transaction
from tests import git_server
from tests.ssh_server import SshServer, make_host_key, ssh_server
from tests.web_server import Received, web_server

CAPS = git.GitCaps(written=1_000_000, zipped=1_000_000)
OWNER = "account#7"


@pytest.fixture(autouse=True)
def _loopback(aws: None) -> Iterator[None]:
    with settings.override(outbound_networks=("127.0.0.0/8",)):
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """A server that accepts the owner's key."""
    root = tmp_path / "repositories"
    root.mkdir()
    with ssh_server(root) as server:
        server.authorize(make_key(OWNER))
        yield server


def make_key(owner: str) -> str:
    writes = Transaction()
    key = ssh_keys.create(writes, owner)
    writes.commit()
    return str(key.public)


def pins(owner: str = OWNER) -> dict[str, str]:
    return {host.server: host.public for host in ssh_keys.hosts(owner)}


def names(content: bytes) -> list[str]:
    return sorted(ZipFile(BytesIO(content)).namelist())


def refusal(url: str, owner: str | None = OWNER) -> str:
    with pytest.raises(Invalid) as caught:
        git.fetch(url, CAPS, None, "m", owner=owner)
    return caught.value.message


def test_a_private_repository_is_fetched_with_the_owner_s_key(server: SshServer) -> None:
    sha = server.repository("private", {"init.lua": "", "src/a.lua": ""})
    fetched = git.fetch(server.url("private"), CAPS, "main", "m", owner=OWNER)
    assert (fetched.commit, names(fetched.content)) == (sha, ["m/init.lua", "m/src/a.lua"])


def test_the_host_key_is_pinned_at_its_first_use(server: SshServer) -> None:
    server.repository("private", {"init.lua": ""})
    for _ in range(2):
        git.fetch(server.url("private"), CAPS, None, "m", owner=OWNER)
        assert pins() == {server.name: server.host_key}
    assert pins("account#8") == {}


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_changed_host_key_is_refused_until_the_pinned_one_is_removed(server: SshServer, kind: str) -> None:
    server.repository("private", {"init.lua": ""})
    git.fetch(server.url("private"), CAPS, None, "m", owner=OWNER)
    before = server.host_key
    make_host_key(server.root, kind)
    with ssh_server(server.root) as other:
        pinned = Transaction()
        pinned.put(
            ssh_keys.SshHost("ssh-key#account#7", f"host#{other.name}", public=before, first_seen_at=ssh_keys.now())
        )
        pinned.commit()
        message = refusal(other.url("private"))
        assert message.startswith(
            f"The host key of {other.name} has changed from {fingerprint(before)} to {fingerprint(other.host_key)}. "
        )
        assert pins()[other.name] == before
        writes = Transaction()
        ssh_keys.forget(writes, OWNER, other.name)
        writes.commit()
        git.fetch(other.url("private"), CAPS, None, "m", owner=OWNER)
        assert pins()[other.name] == other.host_key


def test_another_account_s_key_is_not_accepted(server: SshServer) -> None:
    server.repository("private", {"init.lua": ""})
    make_key("account#8")
    url = server.url("private")
    assert refusal(url, "account#8") == f"{server.name} does not accept the SSH key: add its public key there."
    assert refusal(url, None) == "A repository over SSH needs an SSH key: create one in your account first."
    assert refusal(url, "account#9") == "A repository over SSH needs an SSH key: create one in your account first."


def test_a_missing_repository_or_branch_has_a_clear_error(server: SshServer) -> None:
    server.repository("private", {"init.lua": ""})
    assert refusal(server.url("missing")).startswith("There is no Git repository at the repository's address, or")
    with pytest.raises(Invalid, match="There is no branch or tag dev in the repository"):
        git.fetch(server.url("private"), CAPS, "dev", "m", owner=OWNER)


def test_submodules_are_fetched_from_the_same_server_and_over_http(server: SshServer) -> None:
    library = server.repository("library", {"lib.lua": ""})
    public = git_server.repository()
    other = git_server.commit(public, {"other.lua": b""})
    with git_server.serving({"public": public}) as url:
        modules = (
            '[submodule "a"]\n\tpath = a\n\turl = ../library\n'
            f'[submodule "b"]\n\tpath = b\n\turl = {url}/public\n'
        )  # fmt: skip
        server.repository("main", {".gitmodules": modules}, {"a": library, "b": other})
        fetched = git.fetch(server.url("main"), CAPS, None, "m", owner=OWNER)
    assert names(fetched.content) == ["m/.gitmodules", "m/a/lib.lua", "m/b/other.lua"]


def test_a_submodule_over_ssh_of_a_repository_over_http_is_refused() -> None:
    repo = git_server.repository()
    modules = b'[submodule "lib"]\n\tpath = lib\n\turl = git@127.0.0.1:lib\n'
    git_server.commit(repo, {".gitmodules": modules}, submodules={"lib": "1" * 40})
    with git_server.serving({"mod": repo}) as url:
        assert refusal(f"{url}/mod") == "Repositories are fetched over http and https only."


def test_private_addresses_are_refused(server: SshServer) -> None:
    server.repository("private", {"init.lua": ""})
    with settings.override(outbound_networks=()):
        assert refusal(server.url("private")) == "127.0.0.1 is not a public address."
    assert pins() == {}


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n" + b"\0" * 5000, b"\xff" * 9000, b""]
)
def test_a_server_that_does_not_speak_ssh_is_an_error(sent: bytes) -> None:
    make_key(OWNER)

    def respond(request: Received, connection: socket.socket) -> None:
        connection.sendall(sent)

    with web_server(respond) as server:
        message = refusal(f"ssh://git@127.0.0.1:{server.port}/x")
    assert message == "The Git server cannot be reached, or refuses."


def test_a_silent_server_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(OWNER)
    limits = git.SSH_FETCHER.limits._replace(seconds=2.0)
    impatient = Confined(git.SSH_FETCHER.factory, git.SSH_FETCHER.sample, limits)
    monkeypatch.setattr(git, "SSH_FETCHER", impatient)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert refusal(f"ssh://git@127.0.0.1:{silent.getsockname()[1]}/x") == "The Git server is too slow."
    impatient.close()


def test_the_private_key_is_sealed_and_a_new_one_replaces_it() -> None:
    first = make_key(OWNER)
    second = make_key(OWNER)
    key = ssh_keys.find(OWNER)
    assert key is not None
    assert (key.public, first != second, first.startswith("ssh-ed25519 ")) == (second, True, True)
    assert "PRIVATE" not in str(key.to_dynamodb_dict())
    assert sealing.unseal(key.sealed_secret, "ssh-key#account#7").startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    writes = Transaction()
    ssh_keys.delete(writes, OWNER)
    writes.commit()
    assert ssh_keys.find(OWNER) is None
    for operation in (ssh_keys.delete, lambda writes, owner: ssh_keys.forget(writes, owner, "x:22")):
        missing = Transaction()
        operation(missing, OWNER)
        with pytest.raises(NotFound):
            missing.commit()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ssh://git@example.org/a/b.git", SshAddress("git", "example.org", 22, "/a/b.git")),
        ("ssh://example.org:2222/b", SshAddress("git", "example.org", 2222, "/b")),
        ("ssh://me@[::1]:2222/b", SshAddress("me", "[::1]", 2222, "/b")),
        ("git@example.org:a/b.git", SshAddress("git", "example.org", 22, "a/b.git")),
        ("https://example.org/a", None),
        ("git@example.org", None),
    ],
)
def test_both_forms_of_an_address_are_read(url: str, address: SshAddress | None) -> None:
    assert ssh_urls.parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        *("ssh://", "ssh://git@/x", "ssh://git:pw@example.org/x", "ssh://-oProxyCommand=x/y", "ssh://a b/c"),
        *("ssh://example.org:0/x", "ssh://example.org:99999/x", "ssh://example.org/a'b", "ssh://example.org/a\nb"),
    ],
)
def test_a_malformed_address_is_invalid(url: str) -> None:
    with pytest.raises(Invalid, match="must look like ssh://git@"):
        ssh_urls.parse(url)


@pytest.mark.parametrize(
    ("url", "address", "resolved"),
    [
        ("ssh://git@example.org/a/b", "../c", "ssh://git@example.org/a/c"),
        ("git@example.org:a/b", "../c", "git@example.org:a/c"),
        ("https://example.org/a/b", "../c", "https://example.org/a/c"),
        ("https://example.org/a/b", "git@other.org:x", "git@other.org:x"),
    ],
)
def test_relative_addresses_of_submodules_are_resolved(url: str, address: str, resolved: str) -> None:
    assert ssh_urls.resolve(url, address) == resolved
