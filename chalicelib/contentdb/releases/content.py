"""The content of a release: a mod, a modpack, a game or a texture pack, read by Luanti's rules."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field

from chalicelib.contentdb.releases import conf, translations
from chalicelib.contentdb.releases.archive import Folder
from chalicelib.core.errors import Invalid

_KINDS = {  # the content for each package type; `unknown` is a texture pack without texture_pack.conf
    "MOD": ("mod", "modpack"),
    "GAME": ("game",),
    "TXP": ("texture pack", "unknown"),
}
_WANTED = {"MOD": "mod or modpack", "GAME": "game", "TXP": "texture pack"}
_CONF = {"mod": "mod.conf", "modpack": "modpack.conf", "game": "game.conf", "texture pack": "texture_pack.conf"}
_NAME = re.compile(r"[a-z0-9_]+")
_GAME = re.compile(r"\*|([A-Za-z0-9._-]+/)?[a-z0-9_]+")
_LICENSE = re.compile(r"(licen[cs]e|copying)([-_. ][\w .+-]*)?", re.IGNORECASE)
_FOLDERS = ("textures", "sounds", "models", "media", "locale", "mods", "menu")
_DEEPEST_MODPACK = 10
_LONGEST_NAME = 100  # characters of a mod's name
_LONGEST_GAME = 150
_MOST = {"mods": 1000, "depends": 1000, "optional_depends": 1000}  # they fit into the package
_MOST_WARNINGS, _LONGEST_WARNING = 20, 300
_RESERVED = re.compile(
    r"core|minetest|group|table|string|lua|luajit|assert|debug|error|next|pairs|print|select|type|pack|unpack|builtin"
)

_Translated = tuple[dict[str, dict[str, str]], list[str]]  # translations by language, and warnings


@dataclass
class Mod:
    """A mod: its technical name, and its hard and optional dependencies."""

    name: str
    depends: list[str]
    optional_depends: list[str]


@dataclass
class Content:
    """The result of reading a release. Versions and games are as written in the .conf file."""

    kind: str
    mods: list[Mod] = field(default_factory=list)
    supported_games: list[str] = field(default_factory=list)  # `*` means all
    unsupported_games: list[str] = field(default_factory=list)
    min_version: str | None = None
    max_version: str | None = None
    translations: dict[str, dict[str, str]] = field(default_factory=dict)  # language -> title, short_description
    warnings: list[str] = field(default_factory=list)  # errors in files of other authors
    cdb: str | None = None  # the text of .cdb.json

    @property
    def provides(self) -> list[str]:
        """The technical names of its mods."""
        return sorted(mod.name for mod in self.mods)

    @property
    def depends(self) -> list[str]:
        """The hard dependencies on mods outside of it."""
        return sorted({name for mod in self.mods for name in mod.depends} - set(self.provides))

    @property
    def optional_depends(self) -> list[str]:
        """The optional dependencies on mods outside of it."""
        wanted = {name for mod in self.mods for name in mod.optional_depends}
        return sorted(wanted - set(self.provides) - set(self.depends))


def read(root: Folder, package_type: str, name: str, languages: Container[str], *, approved: bool) -> Content:
    """The content of a zip for the package `name` of type MOD, GAME or TXP. Raises Invalid, with a text for the author.

    `languages` are those of which translations are read.
    Packages that are not `approved` yet need a licence file, and must not use obsolete formats.
    """
    root = _descend(root)
    kind = kind_of(root)
    check_kind(kind, package_type)
    if not approved and not any(_LICENSE.fullmatch(file) for file in root.files):
        raise Invalid(
            "Please provide a license file: LICENSE.txt, LICENSE.md or COPYING.txt, in the folder of the content"
        )
    settings = _settings(root, kind, legacy=approved)
    translated, warnings = _read_translations(root, _text_domain(kind, settings, name), languages, settings)
    content = Content(
        kind,
        mods=list(_mods(root, kind, settings, name, legacy=approved)),
        supported_games=_games(settings, "supported_games"),
        unsupported_games=_games(settings, "unsupported_games"),
        min_version=settings.get("min_minetest_version"),
        max_version=settings.get("max_minetest_version"),
        translations=translated,
        warnings=warnings,
        cdb=root.text(".cdb.json"),
    )
    _check_numbers(content)
    _check_mods(content)
    return content


def check_kind(kind: str, package_type: str) -> None:
    """Raise Invalid unless a package of this type can have content of this kind."""
    if kind not in _KINDS[package_type]:
        raise Invalid(f"Expected a {_WANTED[package_type]}, found {kind}")


def kind_of(folder: Folder) -> str:
    """The kind of content in a folder, detected by the files that Luanti reads."""
    for files, kind in (
        (("game.conf",), "game"),
        (("init.lua",), "mod"),
        (("modpack.txt", "modpack.conf"), "modpack"),
        (("texture_pack.conf",), "texture pack"),
    ):
        if any(file in folder.files for file in files):
            return kind
    return "unknown"


def _descend(folder: Folder) -> Folder:
    """Descend into folders that contain only one folder."""
    while not folder.files and len(folder.folders) == 1:
        (folder,) = folder.folders.values()
    return folder


def _settings(folder: Folder, kind: str, *, legacy: bool) -> dict[str, str]:
    """The settings in a folder's .conf, completed from obsolete files if they are still accepted."""
    filename = _CONF.get(kind, "texture_pack.conf")
    settings = conf.parse(folder.text(filename) or "", folder.path_of(filename))
    if "release" in settings:
        raise Invalid(
            f"{folder.path_of(filename)} must not have `release`: Luanti writes it when it installs a package"
        )
    for old in ("depends.txt", "description.txt"):
        if old in folder.files and not legacy:
            raise Invalid(f"{folder.path_of(old)} is out of date: move its content to {filename}")
    if "depends.txt" in folder.files and "depends" not in settings and "optional_depends" not in settings:
        lines = [line.partition("#")[0].strip() for line in (folder.text("depends.txt") or "").splitlines()]
        settings["depends"] = ",".join(line for line in lines if not line.endswith("?"))
        settings["optional_depends"] = ",".join(line[:-1] for line in lines if line.endswith("?"))
    if "description" not in settings and (description := folder.text("description.txt")):
        settings["description"] = description.strip()
    return settings


def _mods(folder: Folder, kind: str, settings: dict[str, str], name: str, *, legacy: bool) -> Iterator[Mod]:
    """The mods in a folder of this kind, for the package `name`."""
    if kind in ("mod", "modpack", "game"):  # Luanti finds the files of a texture pack in any folder
        _check_case(folder)
    if kind == "mod":
        mod = _mod(folder, settings, name)
        if mod.name != name:
            raise Invalid(
                f"Expected the mod to be called {name}, as the package is, but {folder.path_of('mod.conf')} "
                f"says name = {mod.name}. Change one of them"
            )
        yield mod
    elif kind == "modpack":
        yield from _mods_below(folder, legacy, _DEEPEST_MODPACK)
    elif kind == "game":
        if "mods" not in folder.folders:
            raise Invalid("A game needs a mods folder")
        yield from _mods_below(folder.folders["mods"], legacy, _DEEPEST_MODPACK)


def _mods_below(parent: Folder, legacy: bool, deepest: int) -> Iterator[Mod]:
    for name, folder in sorted(parent.folders.items()):
        if name.startswith("."):
            continue
        kind = kind_of(folder)
        if kind not in ("mod", "modpack") or not deepest:
            raise Invalid(f"Expected a mod or modpack, found {kind} at {folder.path}")
        settings = _settings(folder, kind, legacy=legacy)
        _check_case(folder)
        if kind == "mod":
            yield _mod(folder, settings, name)
        else:
            yield from _mods_below(folder, legacy, deepest - 1)


def _mod(folder: Folder, settings: dict[str, str], default: str) -> Mod:
    name = settings.get("name") or default
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise Invalid(
            f"Invalid mod name {name[:100]!r} at {folder.path or '/'}: "
            "it can only contain lower case letters (a-z), digits (0-9), and underscores (_)"
        )
    if _RESERVED.fullmatch(name):
        raise Invalid(f"Forbidden mod name '{name}' at {folder.path or '/'}: Luanti uses it itself")
    return Mod(name, _dependencies(folder, settings, "depends"), _dependencies(folder, settings, "optional_depends"))


def _dependencies(folder: Folder, settings: dict[str, str], key: str) -> list[str]:
    found = conf.names(settings.get(key))
    for name in found:
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise Invalid(
                f"Invalid dependency name {name[:100]!r} for mod at {folder.path or '/'}: "
                "names must only contain a-z0-9_"
            )
    return found


def _games(settings: dict[str, str], key: str) -> list[str]:
    found = conf.names(settings.get(key))
    for name in found:
        if not _GAME.fullmatch(name) or len(name) > _LONGEST_GAME:
            raise Invalid(f"Invalid game name {name[:100]!r} in {key}")
    return found


def _check_case(folder: Folder) -> None:
    """Reject `Textures` if Luanti expects `textures`: only Windows ignores letter case."""
    for name in folder.folders:
        if name.lower() in _FOLDERS and name != name.lower():
            raise Invalid(f"Incorrect case, {folder.path_of(name)} should be {folder.path_of(name.lower())}")


def _check_numbers(content: Content) -> None:
    for name, most in _MOST.items():
        if len(getattr(content, name)) > most:
            raise Invalid(f"The content has more than {most:,} {name}")


def _check_mods(content: Content) -> None:
    seen: set[str] = set()
    for mod in content.mods:
        if mod.name in seen:
            raise Invalid(f"There are two mods called {mod.name}")
        seen.add(mod.name)
    if content.kind == "game" and content.depends:
        raise Invalid(f"Game has unresolved hard dependencies: {', '.join(content.depends)}")


def _read_translations(root: Folder, domain: str, languages: Container[str], settings: dict[str, str]) -> _Translated:
    """The languages of the content, with title and description from its own text domain, and the warnings."""
    found: dict[str, dict[str, str]] = {}
    warnings: list[str] = []
    for translation in translations.read(root, domain, languages):
        found.setdefault(translation.language, {}).update(_translated_fields(translation.texts, settings))
        if translation.warning:
            warnings.append(translation.warning[:_LONGEST_WARNING])
    if len(warnings) > _MOST_WARNINGS:
        warnings[_MOST_WARNINGS:] = [f"There are {len(warnings) - _MOST_WARNINGS:,} more warnings"]
    return found, warnings


def _text_domain(kind: str, settings: dict[str, str], name: str) -> str:
    """The text domain of the content; `name` is the package's, and a game's own."""
    return settings.get("textdomain") or (settings.get("name") if kind != "game" else None) or name


def _translated_fields(texts: dict[str, str], settings: dict[str, str]) -> dict[str, str]:
    """The translated title and description, truncated to their maximum length."""
    return {
        field: texts[settings[key]][:longest]
        for key, field, longest in (("title", "title", 100), ("description", "short_description", 200))
        if texts.get(settings.get(key, ""))
    }
