"""The account's SSH key for private Git repositories, and the pinned host keys."""

from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.outbound import ssh_keys
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import SshHost, SshKey


def get(caller: Caller) -> tuple[SshKey | None, list[SshHost]]:
    """The key, or None, and the pinned host keys."""
    owner = _owner(caller)
    return ssh_keys.find(owner), ssh_keys.hosts(owner)


def create(caller: Caller) -> SshKey:
    """Make a new key; it replaces the former one."""
    writes = Transaction()
    key = ssh_keys.create(writes, _owner(caller))
    writes.put(audit.entry_by(caller, "ssh-key.create", "ssh-key"))
    writes.commit()
    return key


def delete(caller: Caller) -> None:
    """Delete the key. Raises NotFound."""
    writes = Transaction()
    ssh_keys.delete(writes, _owner(caller))
    writes.put(audit.entry_by(caller, "ssh-key.delete", "ssh-key"))
    writes.commit()


def forget_host(caller: Caller, server: str) -> None:
    """Remove the pinned host key of `HOST:PORT`; the next one is pinned. Raises NotFound."""
    writes = Transaction()
    ssh_keys.forget(writes, _owner(caller), server)
    writes.put(audit.entry_by(caller, "ssh-host.delete", server))
    writes.commit()


def _owner(caller: Caller) -> str:
    return ssh_keys.of_account(int(caller.account.id))
