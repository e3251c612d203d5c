"""What the catalogue holds of a module: its items as plain data, and back.

An entry is one module with all its versions and rocks, under `<user>/<name>`. Attributes are those of `tables.py`;
dates are epoch seconds; nulls, empty lists and falsehoods are left out, and so is what the place says already:

    {"id": 1, "user_id": 1, "user": "alice", "name": "say", "in_root": true, "current_version_id": 1, ...,
     "versions": {"1.0-1": {"id": 1, "revision": 1, "sha256": "...", "size": 300, ...,
                            "rocks": {"src": {"id": 2, "rock_fname": "say-1.0-1.src.rock", ...}},
                            "downloads": {"rockspec": 7, "src": 12}}}}

An entry is as true as the items: both change in one transaction. So whoever changes a module starts from its entry, and
reads no item.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from chalicelib.core.snapshots import Value
from chalicelib.luarocks.tables import LuaRocksItem, Module, Rock, Version, module_pk

_T = TypeVar("_T", bound=LuaRocksItem)
_KEYS = {"pk", "sk", "kind", "expires_at"}
_IMPLIED = {"module_id", "version_name", "rockspec_fname", "version_id", "arch"}
_BELOW = {"versions", "rocks", "downloads"}


def module_of(value: Value) -> Module:
    """The module's item."""
    return _item(Module, module_pk(value["id"]), "module", value)


def version_of(value: Value, name: str) -> Version:
    """The item of one version."""
    version = value["versions"][name]
    return _item(
        Version,
        module_pk(value["id"]),
        f"version#{name}",
        version,
        module_id=value["id"],
        version_name=name,
        rockspec_fname=f"{value['name']}-{name}.rockspec",
    )


def rock_of(value: Value, name: str, arch: str) -> Rock:
    """The item of one rock."""
    version = value["versions"][name]
    place = rock_sk(version["id"], arch)
    return _item(Rock, module_pk(value["id"]), place, version["rocks"][arch], version_id=version["id"], arch=arch)


def rock_sk(version_id: int, arch: str) -> str:
    """The sort key of a rock."""
    return f"rock#{int(version_id)}#{arch}"


def with_module(value: Value | None, module: Module) -> Value:
    """The entry with this module's attributes, and the versions that it had."""
    return {**_columns(module), "versions": value["versions"] if value else {}}


def with_version(value: Value, version: Version) -> Value:
    """The entry with this version in it; its rocks and downloads are kept."""
    name = version.version_name
    before = value["versions"].get(name, {"rocks": {}})
    kept = {field: before[field] for field in ("rocks", "downloads") if field in before}
    return {**value, "versions": {**value["versions"], name: {**_columns(version), **kept}}}


def with_rock(value: Value, name: str, rock: Rock) -> Value:
    """The entry with this rock in the version `name`."""
    version = value["versions"][name]
    return _with(value, name, {**version, "rocks": {**version["rocks"], rock.arch: _columns(rock)}})


def without_rock(value: Value, name: str, arch: str) -> Value:
    """The entry without a rock."""
    version = value["versions"][name]
    return _with(value, name, {**version, "rocks": _without(version["rocks"], arch)})


def without_version(value: Value, name: str) -> Value:
    """The entry without a version and its rocks."""
    return {**value, "versions": _without(value["versions"], name)}


def with_downloads(value: Value, counts: dict[int, dict[str, int]]) -> Value:
    """The entry with these counts, by version id and arch."""
    versions = {
        name: {**version, "downloads": counts[version["id"]]} if version["id"] in counts else version
        for name, version in value["versions"].items()
    }
    return {**value, "versions": versions}


def without_downloads(value: Value) -> Value:
    """The entry without counts."""
    versions = {name: {**version, "downloads": {}} for name, version in value["versions"].items()}
    return {**value, "versions": versions}


def downloads(value: Value) -> int:
    """How often a module's files were downloaded."""
    return sum(count for version in value["versions"].values() for count in version.get("downloads", {}).values())


def gather(items: Iterable[LuaRocksItem]) -> list[Value]:
    """All entries from all items, in order of the modules' ids; what belongs to nothing is passed over."""
    modules: dict[str, Value] = {}
    versions: dict[tuple[str, int], Value] = {}
    named: list[tuple[Version, Value]] = []
    rocks: list[Rock] = []
    for item in items:
        if isinstance(item, Module):
            modules[item.pk] = with_module(None, item)
        elif isinstance(item, Version):
            value = versions[item.pk, int(item.id)] = {**_columns(item), "rocks": {}}
            named.append((item, value))
        elif isinstance(item, Rock):
            rocks.append(item)
    for rock in rocks:
        if version := versions.get((rock.pk, int(rock.version_id))):
            version["rocks"][rock.arch] = _columns(rock)
    for item, value in named:
        if module := modules.get(item.pk):
            module["versions"][item.version_name] = value
    return sorted(modules.values(), key=lambda value: int(value["id"]))


def _with(value: Value, name: str, version: Value) -> Value:
    return {**value, "versions": {**value["versions"], name: version}}


def _without(things: dict[str, Value], name: str) -> dict[str, Value]:
    return {key: thing for key, thing in things.items() if key != name}


@cache
def _names(kind: type[LuaRocksItem]) -> tuple[str, ...]:
    return tuple(name for name in kind.get_attributes() if name not in _KEYS | _IMPLIED)


def _columns(item: LuaRocksItem) -> Value:
    columns = {name: _plain(getattr(item, name)) for name in _names(type(item))}
    return {name: value for name, value in columns.items() if value or (value == 0 and value is not False)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp())
    return list(value) if isinstance(value, list) else value


def _item(kind: type[_T], pk: str, sk: str, value: Value, **implied: Any) -> _T:
    columns = {name: _rich(name, value[name]) for name in _names(kind) if name in value}
    return kind(pk, sk, **columns, **implied)


def _rich(name: str, value: Any) -> Any:
    return datetime.fromtimestamp(value, UTC) if name.endswith("_at") else value
