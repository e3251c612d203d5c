"""LuaRocks' catalogue: what manifests, downloads and searches are answered from. Entries: `entries.py`."""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core import blobs
from chalicelib.core.catalogue import Catalogue
from chalicelib.core.snapshots import Entry, Snapshot, Value
from chalicelib.luarocks import entries
from chalicelib.luarocks.tables import Downloads, LuaRocksItem, Stored

AREA = "luarocks"
Place = tuple[Any, ...]
ROOT: Place = ("root",)


def key_of(user: str, name: str) -> str:
    """The entry's key, in any letter case."""
    return f"{user.lower()}/{name.lower()}"


def user_place(user: str) -> Place:
    """The modules below a user's name."""
    return ("user", user.lower())


def manifest_place(name: str) -> Place:
    """The modules in a custom manifest."""
    return ("manifest", name.lower())


def owner_place(account_id: int) -> Place:
    """The modules that an account may publish: its own, and those it is an owner of."""
    return ("owner", int(account_id))


def modules(snapshot: Snapshot, place: Place) -> Mapping[str, Entry]:
    """The modules in a place, by key."""
    return snapshot.group(_places, place)


def module(snapshot: Snapshot, place: Place, name: str) -> Entry | None:
    """The module of this name, in any letter case, in a place; there is at most one."""
    named = snapshot.group(_places, ("name", name.lower()))
    return next((entry for entry in named.values() if place in _places(entry)), None)


def module_with_id(snapshot: Snapshot, name: str, module_id: int) -> Entry | None:
    """The module with this name and id."""
    named = snapshot.group(_places, ("name", name.lower()))
    return next((entry for entry in named.values() if entry.value["id"] == module_id), None)


def _places(entry: Entry) -> Iterator[Place]:
    value = entry.value
    yield ("name", value["name"])
    yield user_place(value["user"])
    for account_id in {value["user_id"], *value.get("owners", {}).values()}:
        yield owner_place(account_id)
    for manifest in value.get("manifests", ()):
        yield manifest_place(manifest)
    if value.get("in_root"):
        yield ROOT


def _entities() -> Iterator[tuple[str, Value]]:
    """Every entry, from the table itself."""
    items = list(LuaRocksItem.scan(consistent_read=True))
    counts: dict[int, dict[int, dict[str, int]]] = {}
    for item in items:
        if isinstance(item, Downloads):
            module_id, (version_id, _, arch) = item.pk.partition("#")[2], item.sk.partition("#")
            counts.setdefault(int(module_id), {}).setdefault(int(version_id), {})[arch] = int(item.number)
    for value in entries.gather(items):
        yield key_of(value["user"], value["name"]), entries.with_downloads(value, counts.get(value["id"], {}))


def blobs_of(item: LuaRocksItem) -> list[str]:
    """The keys of the blobs that an item needs."""
    hashes = [item.sha256, item.sig_sha256] if isinstance(item, Stored) else []
    return [blobs.key_of(AREA, sha256) for sha256 in hashes if sha256]


catalogue = Catalogue(
    "luarocks",
    dict[str, Any],
    shape=1,
    entities=_entities,
    reload=lambda key, entry: entry,
    without_counters=entries.without_downloads,
)
