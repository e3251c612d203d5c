"""SSH keys with which Moonbase reads private Git repositories, one for each owner, such as `account#7`.

Moonbase makes the key and shows its public half; the private one is sealed. The host key of a server is pinned at its
first use, per account, so that no account can choose the key of a server for others.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.core import sealing
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.outbound.ssh_urls import fingerprint
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import SshHost, SshKey, now

MOST_HOSTS = 100  # pinned host keys of an owner
_LONGEST = 2000  # characters of a host key, `TYPE BASE64`


def of_account(number: int) -> str:
    """The owner of an account's key."""
    return f"account#{number}"


def find(owner: str) -> SshKey | None:
    """The key of an owner."""
    return SshKey.find(pk_of(owner), "key")


def create(writes: Transaction, owner: str) -> SshKey:
    """Make a new key, which replaces the owner's former one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    key = SshKey(pk_of(owner), "key", public=public, sealed_secret=sealing.seal(text, pk_of(owner)), created_at=now())
    writes.put(key)
    return key


def delete(writes: Transaction, owner: str) -> None:
    """Delete the key of an owner. The commit raises NotFound if there is none."""
    writes.delete(SshKey(pk_of(owner), "key"), SshKey.pk.exists(), NotFound("There is no SSH key."))


def hosts(owner: str) -> list[SshHost]:
    """The pinned host keys of an owner, by server."""
    return list(SshHost.query(pk_of(owner), SshHost.sk.startswith("host#"), consistent_read=True))


def forget(writes: Transaction, owner: str, server: str) -> None:
    """Remove the pinned host key of `HOST:PORT`. The commit raises NotFound if there is none."""
    unknown = NotFound(f"There is no pinned host key of {server}.")
    if len(server) > 300:
        raise unknown
    writes.delete(SshHost(pk_of(owner), f"host#{server}"), SshHost.pk.exists(), unknown)


def identity(owner: str | None) -> dict[str, Any]:
    """The private `key` of an owner, and the `pinned` host keys by server, for a fetch. Raises Invalid without one."""
    key = find(owner) if owner else None
    if owner is None or key is None:
        raise Invalid("A repository over SSH needs an SSH key: create one in your account first.")
    secret = sealing.unseal(key.sealed_secret, pk_of(owner))
    return {"key": secret, "pinned": {host.server: host.public for host in hosts(owner)}}


def pin(owner: str, seen: Mapping[str, str]) -> None:
    """Pin the host keys of the servers that have none yet. Raises Invalid above the limit."""
    known = {host.server for host in hosts(owner)}
    new = {server: public for server, public in seen.items() if server not in known}
    if len(known) + len(new) > MOST_HOSTS:
        raise Invalid(f"At most {MOST_HOSTS} host keys can be pinned: remove some first.")
    for server, public in new.items():
        fingerprint(public[:_LONGEST])  # raises ValueError if it is no key
        host = SshHost(pk_of(owner), f"host#{server}", public=public, first_seen_at=now())
        host.update_or_read(
            [SshHost.kind.set(SshHost), *host.assign(public=public, first_seen_at=host.first_seen_at)],
            SshHost.pk.does_not_exist(),
        )


def pk_of(owner: str) -> str:
    """The partition of an owner's key and host keys."""
    return f"ssh-key#{owner}"
