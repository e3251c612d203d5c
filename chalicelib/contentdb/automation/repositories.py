"""Finds packages by their repositories, however the address is written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from chalicelib.contentdb.entry import ContentDbEntry, ContentDbSnapshot, PackageEntry
from chalicelib.core.catalogues.shards import Shard
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound import ssh_urls

_OWNER_AND_NAME = ("github.com", "codeberg.org")  # hosts whose repositories have a path of two names


def address_of(url: str) -> str | None:
    """A repository as `host/path`, in lower case, by a URL such as `https://host/path.git`, or over SSH; else None."""
    with suppress(ValueError, Invalid):  # malformed
        ssh = ssh_urls.parse(url)
        host, path = (ssh.host, ssh.path) if ssh else (urlsplit(url).netloc.rpartition("@")[2], urlsplit(url).path)
        host, names = host.lower().removeprefix("www."), [name for name in path.lower().split("/") if name]
        if host in _OWNER_AND_NAME:
            names = names[:2]
        if host and names:
            return "/".join([host, *names]).removesuffix(".git")
    return None


def packages_at(snapshot: ContentDbSnapshot, addresses: Iterable[str]) -> list[tuple[int, str]]:
    """(id, `author/name`) of the packages with one of these repositories, oldest first, in every state but DELETED."""
    shards, wanted = snapshot.per_shard("repositories", _by_address), set(addresses)
    return sorted(found for shard in shards for address in wanted for found in shard.get(address, ()))


def _by_address(shard: Shard[ContentDbEntry]) -> Mapping[str, list[tuple[int, str]]]:
    """The packages of one shard by the addresses of their repositories."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for entry in shard.entries():
        if isinstance(entry.value, PackageEntry) and entry.value.repo and (address := address_of(entry.value.repo)):
            found[address].append((entry.value.id, entry.key))
    return found
