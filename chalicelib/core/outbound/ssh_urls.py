"""Addresses of Git repositories over SSH (`ssh://USER@HOST:PORT/PATH`, or `USER@HOST:PATH`), and fingerprints."""

import base64
import hashlib
import re
from typing import NamedTuple
from urllib.parse import urljoin

from chalicelib.core.errors import Invalid

DEFAULT_PORT = 22
_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@)"
_PATH = r"[^\x00-\x20\x7f'\"\\^`{|}<>?#]{1,1000}"
_LONG = re.compile(rf"ssh://{_USER}?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?/(?P<path>{_PATH})")
_SHORT = re.compile(rf"{_USER}{_HOST}:(?P<path>(?!//){_PATH})")


class SshAddress(NamedTuple):
    """A repository over SSH. A path without a slash at its start is relative to the user's home."""

    user: str
    host: str
    port: int
    path: str

    @property
    def server(self) -> str:
        """`HOST:PORT`, the name of its host key."""
        return f"{self.host.lower()}:{self.port}"

    @property
    def url(self) -> str:
        """The address in the form that its path needs."""
        if not self.path.startswith("/"):
            return f"{self.user}@{self.host}:{self.path}"
        port = f":{self.port}" if self.port != DEFAULT_PORT else ""
        return f"ssh://{self.user}@{self.host}{port}{self.path}"


def parse(url: str) -> SshAddress | None:
    """The repository that a URL names over SSH; None for any other URL. Raises Invalid for a malformed one."""
    if found := _SHORT.fullmatch(url):
        return SshAddress(found["user"], found["host"], DEFAULT_PORT, found["path"])
    if not url.startswith("ssh:"):
        return None
    found = _LONG.fullmatch(url)
    if not found or int(found["port"] or DEFAULT_PORT) not in range(1, 65536):
        raise Invalid("The address of a repository over SSH must look like ssh://git@example.org/path.")
    return SshAddress(found["user"] or "git", found["host"], int(found["port"] or DEFAULT_PORT), f"/{found['path']}")


def resolve(url: str, address: str) -> str:
    """A submodule's URL, which can be relative to that of its repository: `../other.git`."""
    if not address.startswith(("./", "../")):
        return address
    if not (base := parse(url)):
        return urljoin(url.rstrip("/") + "/", address)
    path = urljoin(f"http://host/{base.path.strip('/')}/", address).removeprefix("http://host/")
    return base._replace(path=f"/{path}" if base.path.startswith("/") else path).url


def fingerprint(public: str) -> str:
    """The fingerprint of a public key `TYPE BASE64`, as OpenSSH shows it."""
    digest = hashlib.sha256(base64.b64decode(public.split(" ")[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
