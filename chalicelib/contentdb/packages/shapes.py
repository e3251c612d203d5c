"""Packages as JSON: `keys`, `short` and `vcs` in lists, `full` for a single one.

The JSON of a package in a list is cached with its entry, and lists only join it. Absolute URLs begin with the host
name of the request; in cached JSON a random word replaces it.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages.fields import SHOWN
from chalicelib.contentdb.store import index, links, rows, scores, versions
from chalicelib.contentdb.store.package_row import PackageRow
from chalicelib.contentdb.store.rows import PackageRows
from chalicelib.core.catalogues.snapshots import Entry, Value
from chalicelib.web.response import canonical_json

_BASE = f"@{secrets.token_hex(12)}@"
_NAME = '","name":"'
_FORUM = "https://forum.luanti.org/viewtopic.php?t="


@dataclass(frozen=True)
class ListForm:
    """The form of the packages in a list.

    With a `version`, packages without a release for it are omitted. `promoted` are the featured packages.
    """

    form: str
    version: int | None
    language: str
    promoted: frozenset[str]
    base: str


def list_json(snapshot: ContentDbSnapshot, found: Iterable[str], form: ListForm) -> bytes:
    """A list of packages. See `keys` and `short`."""
    return b"[" + listed(snapshot, found, form) + b"]\n"


def listed(snapshot: ContentDbSnapshot, found: Iterable[str], form: ListForm) -> bytes:
    """The packages of a list, with commas between them."""
    if form.form == "keys":
        return ",".join(_keys_json(rows.of(snapshot), found)).encode()
    fragments = (_fragment(entry, form) for entry in index.Found(snapshot, list(found)))
    joined = b",".join(fragment for fragment in fragments if fragment)
    return joined.replace(_BASE.encode(), canonical_json(form.base)[1:-1])


def start_of_thumbnails(base: str) -> bytes:
    """The part of each package in `short` that depends on the base URL of the request."""
    return b'"thumbnail":' + canonical_json(f"{base}/")[:-1]


def scores_json(found: Iterable[PackageRow]) -> bytes:
    """The scores of packages. See `scored`."""
    return b"[" + b",".join(canonical_json(scored(row)) for row in found) + b"]\n"


def keys(value: PackageEntry) -> Value:
    """The identity of a package: author, name and type."""
    return {"author": value.author, "name": value.name, "type": value.type}


def short(value: PackageEntry, *, release: int | None, language: str, promoted: bool, base: str) -> Value:
    """The fields for the game's client. `release` is the one to install."""
    title, description = _texts(value, language)
    shown = {
        **keys(value),
        "title": title,
        "short_description": f"Featured. {description}" if promoted else description,
        "release": release,
        "thumbnail": _thumbnail(value, base),
    }
    if value.aliases:
        shown["aliases"] = value.aliases
    if promoted:
        shown["featured"] = True
    return shown


def scored(row: PackageRow) -> Value:
    """The numbers that determine a package's rank in lists; floats are not rounded."""
    return {
        "author": row.author,
        "name": row.name,
        "downloads": row.downloads,
        "score": row.score,
        "score_downloads": row.score_downloads,
        "score_reviews": row.score_reviews,
        "reviews": reviews(row),
    }


def reviews(value: PackageEntry | PackageRow) -> dict[str, int]:
    """The number of approved reviews of each rating."""
    return dict(zip(("positive", "neutral", "negative"), value.reviews, strict=True))


def full(snapshot: ContentDbSnapshot, value: PackageEntry, *, language: str, base: str) -> Value:
    """All fields of a package. The counters are those of the entry; `scores.current` reads the stored ones."""
    title, description = _texts(value, language)
    video = links.youtube_id(value.video_url)
    return {
        **{field: getattr(value, field) for field in SHOWN},
        "title": title,
        "short_description": description,
        "maintainers": [value.author, *value.maintainers],
        "forum_url": f"{_FORUM}{value.forums}" if value.forums is not None else None,
        "donate_url": value.donate_url or index.profile_of(snapshot, value.author).donate_url,
        "video_thumbnail_url": f"https://img.youtube.com/vi/{video}/hqdefault.jpg" if video else None,
        "thumbnail": _thumbnail(value, base),
        "screenshots": [f"{base}/uploads/{shot.file}" for shot in value.screenshots],
        "url": f"{base}/packages/{value.author}/{value.name}/download/",
        "release": versions.newest_id(value),
        "score": round(scores.score(value), 1),
        "game_support": _game_support(snapshot, value, language, base),
    }


def _keys_json(known: PackageRows, found: Iterable[str]) -> Iterator[str]:
    """The result of `keys` for each package, as canonical JSON; names and types need no escapes."""
    numbers, types = known.by_key.numbers, known.table.column("type")
    for key in found:
        yield f'{{"author":"{key.replace("/", _NAME)}","type":"{types[numbers[key]]}"}}'


def _fragment(entry: Entry[PackageEntry], form: ListForm) -> bytes:
    """One package in a list; empty without a release for the version."""
    number = versions.newest_id(entry.value, form.version)
    if number is None and form.version is not None:
        return b""
    language = form.language if form.language in entry.value.translations else ""
    promoted = entry.key in form.promoted

    def build(entry: Entry[PackageEntry]) -> bytes:
        shown = short(entry.value, release=number, language=language, promoted=promoted, base=_BASE)
        return canonical_json({**shown, "repo": entry.value.repo} if form.form == "vcs" else shown)

    return entry.cached((form.form == "vcs", number, language, promoted), build)


def _texts(value: PackageEntry, language: str) -> tuple[str, str]:
    """Title and short description, translated if possible."""
    translated = value.translations.get(language) or {}
    description = translated.get("short_description") or value.short_description
    if value.dev_state == "WIP":
        description = f"Work in Progress. {value.short_description}"
    return translated.get("title") or value.title, description


def _thumbnail(value: PackageEntry, base: str) -> str | None:
    """The first screenshot in the smallest size, as PNG, because the oldest clients use the URL unchanged."""
    if not value.screenshots:
        return None
    stem, _, _ = value.screenshots[0].file.rpartition(".")
    return f"{base}/thumbnails/1/{stem}.png"


def _game_support(snapshot: ContentDbSnapshot, value: PackageEntry, language: str, base: str) -> list[dict[str, Any]]:
    rows = []
    for row in value.game_support:
        game = index.find(snapshot, row.game)
        if game is not None:
            release = versions.newest_id(game.value)
            shown = short(game.value, release=release, language=language, promoted=False, base=base)
            rows.append({"supports": row.supports, "confidence": row.confidence, "game": shown})
    return rows
