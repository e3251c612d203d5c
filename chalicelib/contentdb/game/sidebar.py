"""The lines of the "Information" tab in the game's package dialog, as markup."""

from collections.abc import Iterable, Sized
from datetime import datetime
from itertools import count

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies, support
from chalicelib.contentdb.store import index, reference
from chalicelib.contentdb.texts.hypertext import Hypertext, escape
from chalicelib.core.catalogues.snapshots import Entry

_TYPES = {"mod": "Mod", "game": "Game", "txp": "Texture Pack"}
_DEV_STATES = {
    "WIP": "Work in Progress",
    "BETA": "Beta",
    "ACTIVELY_DEVELOPED": "Actively Developed",
    "MAINTENANCE_ONLY": "Maintenance Only",
    "AS_IS": "As-Is",
    "DEPRECATED": "Deprecated",
    "LOOKING_FOR_MAINTAINER": "Looking for Maintainer",
}
_DISCLOSURES = {"NONE": "No AI was used", "ASSISTED": "AI-assisted", "GENERATED": "AI-generated"}
_UNKNOWN = "Unknown"


def of(snapshot: ContentDbSnapshot, package: Entry[PackageEntry], base: str) -> Hypertext:
    """The lines of a package, cached; they link to packages and users."""

    def write(snapshot: ContentDbSnapshot) -> Hypertext:
        return _Sidebar(snapshot, package, base).written()

    return snapshot.lru_cached(("sidebar", package.key, base), write)


class _Sidebar:
    """Writes lines, each followed by a blank one."""

    def __init__(self, snapshot: ContentDbSnapshot, package: Entry[PackageEntry], base: str) -> None:
        self._snapshot, self._key, self._value, self._base = snapshot, package.key, package.value, base
        self._result = Hypertext("")
        self._numbers = count(1)

    def written(self) -> Hypertext:
        """All lines for a package of its type."""
        value, rows = self._value, reference.of(self._snapshot)
        self._line("Type", [_TYPES[value.type]])
        self._line("Tags", [rows.tags[tag]["title"] if tag in rows.tags else tag for tag in value.tags])
        if value.type != "game":
            self._games()
        if value.type != "txp":
            self._dependencies("Dependencies", value.depends)
            self._dependencies("Optional dependencies", value.optional_depends)
        translated = [rows.languages[each]["title"] for each in sorted(value.translations) if each in rows.languages]
        self._line("Languages", dict.fromkeys(["English", *translated]))
        self._line("License", [_license(value)])
        self._line("Maintenance State", [_DEV_STATES.get(value.dev_state or "", _UNKNOWN)])
        self._line("AI Disclosure", [_DISCLOSURES.get(value.ai_disclosure or "", _UNKNOWN)])
        self._line("Added", [datetime.fromisoformat(value.created_at).isoformat(timespec="seconds") + "Z"])
        people = [(name, f"{self._base}/users/{name}/") for name in (value.author, *value.maintainers)]
        self._links("Maintainers", people)
        self._line("Provides", value.provides)
        return self._result

    def _games(self) -> None:
        """The games that a package supports; a mod that needs no certain game says so, and lists tested ones."""
        games = [row for row in self._value.game_support if index.find(self._snapshot, row.game)]
        supported = [self._package(row.game) for row in games if row.supports]
        unsupported = [self._package(row.game) for row in games if not row.supports]
        if self._needs_no_game(supported):
            self._line("Supported Games", ["No specific game required"])
            if supported:
                self._links("Tested with", supported)
        else:
            self._links("Supported Games", supported)
        if unsupported:
            self._links("Unsupported Games", unsupported)

    def _needs_no_game(self, supported: Sized) -> bool:
        if self._value.type == "txp" or self._value.supports_all_games:
            return bool(self._value.supports_all_games)
        return not supported and support.possible_games(self._snapshot, [self._key])[self._key] is None

    def _dependencies(self, label: str, names: Iterable[str]) -> None:
        found = []
        for name in names:
            entry = dependencies.likeliest(self._snapshot, name)
            found.append((name, self._package(entry.key)[1] if entry else ""))
        self._links(label, found)

    def _package(self, key: str) -> tuple[str, str]:
        """A package's title, and the URL of its page, which the game opens in its own dialog."""
        entry = index.find(self._snapshot, key)
        return (entry.value.title, f"{self._base}/packages/{key}/") if entry else (key, "")

    def _line(self, label: str, texts: Iterable[str]) -> None:
        self._write(label, map(escape, texts))

    def _links(self, label: str, links: Iterable[tuple[str, str]]) -> None:
        """A line of (text, URL); an entry without a URL is plain text."""
        self._write(label, [self._link(*link) if link[1] else escape(link[0]) for link in links])

    def _link(self, text: str, url: str) -> str:
        name = f"link_{next(self._numbers)}"
        self._result.links[name] = url
        return f"<action name={name}><u>{escape(text)}</u></action>"

    def _write(self, label: str, markups: Iterable[str]) -> None:
        self._result.body += f"{label}: <b>{', '.join(markups) or 'None'}</b>\n\n"


def _license(value: PackageEntry) -> str:
    code, media = value.license, value.media_license
    if value.type == "txp" or code == media:
        return str(media)
    return f"{code} for code, {media} for media"
