"""Git clients for the URLs of repositories, with limits on what they receive. They run in the confined process."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from dulwich.client import GitClient, SSHGitClient, Urllib3HttpGitClient

from chalicelib.core.outbound import ssh_urls
from chalicelib.core.outbound.addresses import address_rules
from chalicelib.core.outbound.pools import Pools


class Unfetchable(Exception):
    """The repository cannot be fetched; the message is for its author."""


class GitClients:
    """Makes the clients for a request of git_worker.py; all receive at most `received` bytes together."""

    def __init__(self, request: dict[str, Any]) -> None:
        rules = address_rules(request["networks"])
        self._pools = Pools(rules, request["proxies"], request["agent"])
        self._left = int(request["received"])
        self._ssh: Any = None
        if identity := request["ssh"]:
            from chalicelib.core.outbound.git_ssh import SshDoor  # loads paramiko, which other requests do not need

            self._ssh = SshDoor(rules, identity["key"], identity["pinned"], self.receive)

    @property
    def host_keys(self) -> dict[str, str]:
        """The host keys of the connected servers, by `HOST:PORT`."""
        return dict(self._ssh.seen) if self._ssh else {}

    def client(self, url: str) -> tuple[GitClient, str]:
        """The client for a repository, and the repository's path for it. Raises Unfetchable."""
        address = ssh_urls.parse(url)
        if address and self._ssh:
            return SSHGitClient(address.host, address.port, address.user, self._ssh), address.path
        if address or urlsplit(url).scheme not in ("http", "https"):
            raise Unfetchable("Repositories are fetched over http and https only.")
        return _HttpClient(url, self._pools, self.receive), ""

    def receive(self, size: int) -> None:
        """Count received bytes. Raises Unfetchable above the limit."""
        self._left -= size
        if self._left < 0:
            raise Unfetchable("The repository is too large.")


class _HttpClient(Urllib3HttpGitClient):
    """A smart HTTP client that counts what it receives."""

    def __init__(self, url: str, pools: Pools, received: Callable[[int], None]) -> None:
        super().__init__(url, pool_manager=pools.for_url(url))
        self._received = received

    def _http_request(self, *arguments: Any, **more: Any) -> tuple[Any, Callable[[int], bytes]]:
        response, read = super()._http_request(*arguments, **more)

        def counted(size: int) -> bytes:
            data = read(size)
            self._received(len(data))
            return data

        return response, counted

    def _discover_references(self, *arguments: Any, **more: Any) -> Any:
        found = super()._discover_references(*arguments, **more)
        if self.dumb:
            raise Unfetchable("There is no Git server at the repository's address.")
        return found
