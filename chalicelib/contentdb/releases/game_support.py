"""The games that a package supports: by its .conf, its dependencies, or settings on the site.

A row is `{"game": "author/name", "supports": bool, "confidence": int}`; of several rows for one game the one with the
highest confidence is used.
"""

from collections.abc import Iterable
from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import support
from chalicelib.contentdb.packages.edits import OVERRIDE
from chalicelib.contentdb.packages.support import DETECTED
from chalicelib.contentdb.releases.content import Content
from chalicelib.contentdb.store import rows
from chalicelib.contentdb.store.package_row import PackageRow
from chalicelib.contentdb.store.support_jobs import CONF
from chalicelib.contentdb.store.tables import Package
from chalicelib.core.errors import Invalid

GameRows = list[dict[str, Any]]


def resolve(package: Package, content: Content, snapshot: ContentDbSnapshot) -> tuple[bool, GameRows]:
    """(whether every game is supported, the rows) for a release's content. Raises Invalid with every conflict."""
    if package.type == "GAME":
        return False, []
    errors = [
        f"Unable to fulfill dependency {name}"
        for name in content.depends
        if not support.providers(snapshot, package.author, name)
    ]
    possible = support.games_for(snapshot, package.key, package.author, content.depends)
    if possible is not None and not possible and not errors:
        errors.append("No game fulfills all dependencies")
    games = [row for row in rows.of(snapshot).by_key.values() if row.type == "game"]
    supported = _named(content.supported_games, games)
    resolved = {game: _row(game, True, DETECTED) for game in possible or ()}
    resolved |= {game: _row(game, True, CONF) for game in supported}
    resolved |= {game: _row(game, False, CONF) for game in _named(content.unsupported_games, games)}
    resolved |= {row["game"]: row for row in package.game_support or () if row["confidence"] >= OVERRIDE}
    all_games = "*" in content.supported_games or bool(package.supports_all_games)
    if possible:
        errors += [f"{game} does not fulfill the dependencies" for game in sorted(supported - possible)]
        if "*" in content.supported_games:
            errors.append("The package depends on mods that only some games have, and so cannot support all games")
    if errors:
        raise Invalid("Error validating game support: " + "; ".join(errors))
    return all_games and possible is None, [resolved[game] for game in sorted(resolved)]


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
