"""LuaRocks' catalogue: what manifests and downloads are answered from.

An entry is one module, under `<user>/<name>`:

    {"id": 1, "user": "alice", "name": "say", "root": true,
     "versions": {"1.0-1": {"id": 2, "lua": "lua >= 5.1", "dev": false,
                            "spec": [sha256, size, modified],
                            "rocks": {"src": [sha256, size, modified]}}}}

`modified` is in epoch seconds; archived versions are left out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.core import blobs, inventory
from chalicelib.core.catalogue import Catalogue
from chalicelib.core.errors import NotFound
from chalicelib.core.views import Entry, Value, View
from chalicelib.luarocks import manifests, rockspecs
from chalicelib.luarocks.tables import LuaRocksItem, Module, Rock, Stored, Version
from chalicelib.luarocks.versions import matches_lua

AREA = "luarocks"
ROOT = ""
_LONGEST_STEM = 2 * rockspecs.LONGEST_NAME + 1
Render = Callable[[str, Mapping[str, Sequence[str]]], bytes]
_FORMS: dict[str, tuple[Render, Callable[[Iterable[bytes]], bytes]]] = {
    "lua": (manifests.fragment, manifests.lua),
    "json": (manifests.json_fragment, manifests.json),
}


@dataclass(frozen=True)
class File:
    """A rockspec or rock that can be downloaded; `modified` in epoch seconds."""

    name: str
    sha256: str
    size: int
    modified: int


def key_of(user: str, name: str) -> str:
    """The entry's key; `user` is a username in any letter case."""
    return f"{user.lower()}/{name.lower()}"


def root_entry(view: View, name: str) -> Entry | None:
    """The module that holds `name` in the root manifest."""
    return view.keep("root", _by_name).get(name)


def has_modules(view: View, user: str) -> bool:
    """Whether a user, in lower case, has published anything."""
    return bool(_of_user(view, user))


def manifest(view: View, root: str, member: str, form: str) -> bytes:
    """The manifest `member`, such as `manifest-5.1`, as `lua`, `json` or `zip`; kept until the next change.

    `root` is ROOT (stable versions only) or a user (all versions); the Lua version in the name filters.
    """
    lua = member.removeprefix("manifest").removeprefix("-") or None
    if form == "zip":
        text = manifest(view, root, member, "lua")
        return view.keep(("zip", root, lua), lambda _: manifests.zipped(member, text))
    render, join = _FORMS[form]
    return view.keep((form, root, lua), lambda view: join(_fragments(view, root, lua, render)))


def find_file(view: View, root: str, filename: str) -> File:
    """The rockspec or rock with this name below a root; raises NotFound."""
    stem, _, kind = filename.lower().rpartition(".")
    arch = None
    if kind == "rock":
        stem, _, _ = stem.rpartition(".")
        arch = filename[len(stem) + 1 : -len(".rock")]
    if kind in ("rock", "rockspec"):
        for name, version in _splits(stem):
            entry = root_entry(view, name) if root == ROOT else view.entries.get(key_of(root, name))
            found = entry and entry.value["versions"].get(version)
            fact = found and (found["rocks"].get(arch) if arch else found["spec"])
            if fact:
                return File(filename, *fact)
    raise NotFound("There is no such file.")


def entities() -> Iterator[tuple[str, Value]]:
    """Every entry, from the table itself."""
    modules: dict[str, Value] = {}
    versions: dict[tuple[str, str], Value] = {}
    rocks: list[Rock] = []
    for item in LuaRocksItem.scan(consistent_read=True):
        if isinstance(item, Module):
            modules[item.pk] = _module_value(item)
        elif isinstance(item, Version):
            if not item.archived:
                versions[item.pk, item.version_name] = _version_value(item)
        elif isinstance(item, Rock):
            rocks.append(item)
    for rock in rocks:
        if version := versions.get((rock.pk, rock.sk.split("#")[1])):
            version["rocks"][rock.arch] = _fact(rock)
    for (pk, name), version in versions.items():
        modules[pk]["versions"][name] = version
    for value in sorted(modules.values(), key=lambda value: value["id"]):
        yield key_of(value["user"], value["name"]), value


@inventory.holds(LuaRocksItem, AREA)
def _blobs_of(item: LuaRocksItem) -> list[str]:
    return [blobs.key_of(AREA, item.sha256)] if isinstance(item, Stored) else []


def with_version(entry: Entry | None, module: Module, version: Version) -> Value:
    """The module's entry with this version in it, its rocks kept."""
    versions = dict(entry.value["versions"]) if entry else {}
    rocks = versions[version.version_name]["rocks"] if version.version_name in versions else {}
    versions[version.version_name] = {**_version_value(version), "rocks": rocks}
    return {**_module_value(module), "versions": versions}


def with_rock(entry: Entry, version_name: str, rock: Rock) -> Value:
    """The module's entry with this rock in it; as it was when the version is not to be seen."""
    versions = dict(entry.value["versions"])
    if version := versions.get(version_name):
        versions[version_name] = {**version, "rocks": {**version["rocks"], rock.arch: _fact(rock)}}
    return {**entry.value, "versions": versions}


def _module_value(module: Module) -> Value:
    return {
        "id": int(module.id),
        "user": module.user,
        "name": module.name,
        "root": module.in_root,
        "versions": {},
    }


def _version_value(version: Version) -> Value:
    return {
        "id": int(version.id),
        "lua": version.lua_version,
        "dev": version.development,
        "spec": _fact(version),
        "rocks": {},
    }


def _fact(file: Stored) -> list[Any]:
    return [file.sha256, int(file.size), int(file.updated_at.timestamp())]


def _by_name(view: View) -> dict[str, Entry]:
    """The root's modules, by name, in order."""
    holders = {entry.value["name"]: entry for entry in view.entries.values() if entry.value["root"]}
    return dict(sorted(holders.items()))


def _of_user(view: View, user: str) -> list[Entry]:
    """A user's modules, in order of their names."""
    return view.keep("users", _by_user).get(user, [])


def _by_user(view: View) -> dict[str, list[Entry]]:
    users: dict[str, list[Entry]] = {}
    for _, entry in sorted(view.entries.items()):
        users.setdefault(entry.value["user"], []).append(entry)
    return users


def _fragments(view: View, root: str, lua: str | None, render: Render) -> Iterator[bytes]:
    stable = root == ROOT
    entries = view.keep("root", _by_name).values() if stable else _of_user(view, root)
    for entry in entries:
        fragment = entry.keep((render, lua, stable), lambda entry: _fragment(entry.value, lua, stable, render))
        if fragment:
            yield fragment


def _fragment(value: Value, lua: str | None, stable: bool, render: Render) -> bytes:
    """One module as the manifest shows it; empty when no version is to be seen."""
    versions = {
        name: ["rockspec", *sorted(version["rocks"])]
        for name, version in sorted(value["versions"].items())
        if not (stable and version["dev"]) and (lua is None or matches_lua(version["lua"], lua))
    }
    return render(value["name"], versions) if versions else b""


def _splits(stem: str) -> Iterator[tuple[str, str]]:
    """Every way to read NAME-VERSION: both may hold hyphens."""
    if len(stem) > _LONGEST_STEM:
        return
    parts = stem.split("-")
    for place in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:place]), "-".join(parts[place:])


catalogue = Catalogue("luarocks", entities)
