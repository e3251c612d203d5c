"""A real SSH server (OpenSSH's) with Git repositories on the loopback interface, run by this user."""

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"


@dataclass
class SshServer:
    """A running server; `root` contains its repositories."""

    root: Path
    port: int
    address: str = "127.0.0.1"

    @property
    def name(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def host_key(self) -> str:
        """The public host key, as `TYPE BASE64`."""
        return " ".join((self.root / "host.pub").read_text().split()[:2])

    def url(self, name: str) -> str:
        return f"ssh://{getpass.getuser()}@{self.address}:{self.port}{self.root}/{name}"

    def authorize(self, public: str) -> None:
        (self.root / "authorized_keys").write_text(f"{public}\n")

    def repository(self, name: str, files: dict[str, str], submodules: dict[str, str] | None = None) -> str:
        """Create a repository with one commit, and submodules at commits; return the hash."""
        folder = self.root / name
        folder.mkdir()
        self._git(folder, "init", "-q", "-b", "main")
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        self._git(folder, "add", ".")
        for path, commit in (submodules or {}).items():
            self._git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        self._git(folder, "commit", "-q", "-m", "Begin")
        return self._git(folder, "rev-parse", "HEAD")

    def _git(self, folder: Path, *arguments: str) -> str:
        options = ("-c", "user.name=Author", "-c", "user.email=author@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *options, *arguments], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def make_host_key(root: Path, kind: str = "ed25519") -> None:
    """Make a host key, which replaces the former one."""
    for name in ("host", "host.pub"):
        (root / name).unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(root / "host")], check=True)


@contextmanager
def ssh_server(root: Path, port: int | None = None) -> Iterator[SshServer]:
    """Serve the repositories in `root`, with its host key; a new one is made if there is none."""
    root.chmod(0o755)
    if not (root / "host").exists():
        make_host_key(root)
    (root / "authorized_keys").touch()
    server = SshServer(root, port or _free_port())
    (root / "sshd_config").write_text(
        f"ListenAddress {server.address}:{server.port}\nHostKey {root}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {root}/authorized_keys\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "AcceptEnv GIT_PROTOCOL\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd requires it of root
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(root / "sshd_config")], stderr=subprocess.DEVNULL)
    try:
        _wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(server: SshServer) -> None:
    for _ in range(200):
        try:
            socket.create_connection((server.address, server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("sshd does not start")
