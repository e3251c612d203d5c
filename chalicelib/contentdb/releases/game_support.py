"""The games that a package supports: by its .conf, its dependencies, or settings on the site.

A row is `{"game": "author/name", "supports": bool, "confidence": int}`; of several rows for one game the one with the
highest confidence is used.
"""

from collections.abc import Iterable
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.packages import dependencies
from chalicelib.contentdb.packages.edits import OVERRIDE
from chalicelib.contentdb.releases.content import Content
from chalicelib.contentdb.store import rows
from chalicelib.contentdb.store.index import Found
from chalicelib.contentdb.store.rows import PackageRow
from chalicelib.contentdb.store.tables import Package
from chalicelib.core.catalogues.snapshots import Entry
from chalicelib.core.errors import Invalid

DETECTED, CONF = 1, 10
GameRows = list[dict[str, Any]]


def resolve(package: Package, content: Content, snapshot: ContentDbSnapshot) -> tuple[bool, GameRows]:
    """(whether every game is supported, the rows) for a release's content. Raises Invalid with every conflict."""
    if package.type == "GAME":
        return False, []
    errors: list[str] = []
    possible = _possible(package, content.depends, snapshot, errors)
    games = [row for row in rows.of(snapshot).by_key.values() if row.type == "game"]
    supported = _named(content.supported_games, games)
    resolved = {game: _row(game, True, DETECTED) for game in possible or ()}
    resolved |= {game: _row(game, True, CONF) for game in supported}
    resolved |= {game: _row(game, False, CONF) for game in _named(content.unsupported_games, games)}
    resolved |= {row["game"]: row for row in package.game_support or () if row["confidence"] >= OVERRIDE}
    all_games = "*" in content.supported_games or bool(package.supports_all_games)
    if possible is not None:
        errors += [f"{game} does not fulfill the dependencies" for game in sorted(supported - possible)]
        if "*" in content.supported_games:
            errors.append("The package depends on mods that only some games have, and so cannot support all games")
    if errors:
        raise Invalid("Error validating game support: " + "; ".join(errors))
    return all_games and possible is None, [resolved[game] for game in sorted(resolved)]


def _possible(
    package: Package, depends: Iterable[str], snapshot: ContentDbSnapshot, errors: list[str]
) -> set[str] | None:
    """The games that provide all hard dependencies; None without a limit."""
    drafts = Found(snapshot, [key for key, row in rows.of(snapshot).by_key.items() if _is_draft_of(row, package)])
    possible: set[str] | None = None
    for name in depends:
        found = [*dependencies.providers(snapshot, name), *(each for each in drafts if name in each.value.provides)]
        if not found:
            errors.append(f"Unable to fulfill dependency {name}")
            continue
        games = _games_with(found)
        if games is not None:
            possible = games if possible is None else possible & games
    if possible is not None and not possible and not errors:
        errors.append("No game fulfills all dependencies")
    return possible


def _games_with(providers: Iterable[Entry[PackageEntry]]) -> set[str] | None:
    """The games in which one of these packages is available; None: in any game, or unknown."""
    games: set[str] = set()
    for entry in providers:
        if entry.value.type == "game":
            games.add(entry.key)
            continue
        supported = {row.game for row in entry.value.game_support if row.supports}
        if entry.value.supports_all_games or not supported:
            return None
        games |= supported
    return games


def _is_draft_of(row: PackageRow, package: Package) -> bool:
    """Whether a package is another unapproved package of the same author: the two may need each other."""
    return bool(row.state != "APPROVED" and row.author == package.author)


def _named(names: Iterable[str], games: Iterable[PackageRow]) -> set[str]:
    """The games with these names; unknown names are ignored. The suffix `_game` is optional."""
    wanted = {name.removesuffix("_game") for name in names if name != "*"}
    return {
        game.key
        for game in games
        if not wanted.isdisjoint((game.key.removesuffix("_game"), game.name.removesuffix("_game")))
    }


def _row(game: str, supports: bool, confidence: int) -> dict[str, Any]:
    return {"game": game, "supports": supports, "confidence": confidence}
