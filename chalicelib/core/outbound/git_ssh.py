"""Git over SSH (paramiko), in the confined process: one key, and host keys that are pinned at their first use."""

from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

from dulwich.client import SSHVendor
from paramiko import Ed25519Key, SSHException, Transport
from paramiko.channel import Channel

from chalicelib.core.outbound import sockets
from chalicelib.core.outbound.addresses import AddressRules
from chalicelib.core.outbound.ssh_urls import DEFAULT_PORT, fingerprint

_CONNECT_TIMEOUT = 10.0  # seconds
_READ_TIMEOUT = 20.0  # seconds without a byte
_PART = 1 << 16  # bytes
_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # signatures by keys of the type ssh-rsa


class SshRefused(Exception):
    """The server cannot be trusted, or does not accept the key; the message is for the owner of the key."""


class SshDoor(SSHVendor):
    """Opens connections with `key`, a private key in OpenSSH's format. `pinned` has host keys by `HOST:PORT`.

    `seen` are the host keys of servers without a pinned one. `received` is called with the number of received bytes.
    """

    def __init__(
        self, rules: AddressRules, key: str, pinned: Mapping[str, str], received: Callable[[int], None]
    ) -> None:
        self._rules = rules
        self._key = Ed25519Key.from_private_key(StringIO(key))
        self._pinned = pinned
        self._received = received
        self.seen: dict[str, str] = {}

    def run_command(  # type: ignore[override]  # a conversation instead of a process
        self, host: str, command: bytes, username: str | None = None, port: int | None = None, **options: Any
    ) -> Any:
        """Run Git's command on the server; return the conversation with it. Raises SshRefused, SSHException."""
        server = f"{host.lower()}:{port or DEFAULT_PORT}"
        connection = sockets.connect(host.strip("[]"), port or DEFAULT_PORT, self._rules, _CONNECT_TIMEOUT)
        transport = Transport(connection)
        try:
            self._verify(transport, server)
            self._log_in(transport, username or "git", server)
            channel = transport.open_session(timeout=_READ_TIMEOUT)
            channel.settimeout(_READ_TIMEOUT)
            channel.set_environment_variable("GIT_PROTOCOL", "version=2")
            channel.exec_command(command.decode())
        except BaseException:
            transport.close()
            raise
        return _Conversation(transport, channel, self._received)

    def _verify(self, transport: Transport, server: str) -> None:
        """Exchange keys, and compare the server's with the pinned one."""
        pinned = self._pinned.get(server) or self.seen.get(server)
        if pinned:
            options = transport.get_security_options()
            kind = pinned.partition(" ")[0]
            first = _RSA if kind == "ssh-rsa" else (kind,)
            options.key_types = (*first, *(other for other in options.key_types if other not in first))
        transport.start_client(timeout=_CONNECT_TIMEOUT)
        key = transport.get_remote_server_key()
        shown = f"{key.get_name()} {key.get_base64()}"
        if pinned and shown != pinned:
            raise SshRefused(
                f"The host key of {server} has changed from {fingerprint(pinned)} to {fingerprint(shown)}. "
                "If its operator has changed it, remove the pinned key; otherwise somebody may be intercepting the "
                "connection."
            )
        self.seen[server] = shown

    def _log_in(self, transport: Transport, user: str, server: str) -> None:
        try:
            transport.auth_publickey(user, self._key)
        except SSHException:
            raise SshRefused(f"{server} does not accept the SSH key: add its public key there.") from None


class _Conversation:
    """The input and output of a command on the server."""

    def __init__(self, transport: Transport, channel: Channel, received: Callable[[int], None]) -> None:
        self._transport = transport
        self._channel = channel
        self._received = received
        self.stderr = None

    def read(self, size: int | None = None) -> bytes:
        """Exactly `size` bytes, or fewer at the end; without a size what has arrived."""
        found = bytearray()
        while size is None or len(found) < size:
            part = self._channel.recv(_PART if size is None else min(size - len(found), _PART))
            self._received(len(part))
            found += part
            if not part or size is None:
                break
        return bytes(found)

    def write(self, data: bytes) -> int:
        """Send everything."""
        self._channel.sendall(data)
        return len(data)

    def can_read(self) -> bool:
        """Whether something has arrived."""
        return bool(self._channel.recv_ready())

    def close(self) -> None:
        """End the connection."""
        self._transport.close()
