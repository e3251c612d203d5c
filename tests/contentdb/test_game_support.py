"""The games that a release supports, from its .conf, from its dependencies, and from the site's settings."""

from typing import Any

import pytest

from chalicelib.contentdb.store import index
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, draft, published
from tests.contentdb.files import MOD, checked, upload, zipped


@pytest.fixture(autouse=True)
def _games(alice: Account, bob: Account) -> None:
    draft("Alice/mymod")
    published("bob/sky_game", type="GAME")
    published("bob/sea", type="GAME")
    change("bob/sky_game", provides=["default", "clouds"])
    change("bob/sea", provides=["default", "waves"])
    published("bob/lib")
    published("bob/sealib")
    change("bob/sealib", depends=["waves"])


def row(game: str, *, supports: bool = True, confidence: int = 1) -> dict[str, Any]:
    return {"game": game, "supports": supports, "confidence": confidence}


def check(client: Client, bearer: dict[str, str], conf: str) -> tuple[Any, bool, list[Any]]:
    """Release with this .conf; return its error, whether the package supports all games, and its game support."""
    reply = upload(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": f"name = mymod\n{conf}\n"}))
    error = checked(client, reply).get("error")
    value = index.catalogue.snapshot().entries["Alice/mymod"].value
    rows = [row(each.game, supports=each.supports, confidence=each.confidence) for each in value.game_support]
    return error, value.supports_all_games, rows


@pytest.mark.parametrize(
    ("conf", "all_games", "rows"),
    [
        ("", False, []),
        ("depends = lib", False, []),
        ("depends = default", False, [row("bob/sea"), row("bob/sky_game")]),
        ("depends = default, waves", False, [row("bob/sea")]),
        ("depends = sealib", False, [row("bob/sea")]),
        ("optional_depends = waves, nothing", False, []),
        ("supported_games = *", True, []),
        ("supported_games = *\nunsupported_games = sea", True, [row("bob/sea", supports=False, confidence=10)]),
        ("supported_games = sky, elsewhere", False, [row("bob/sky_game", confidence=10)]),
        ("supported_games = bob/sea", False, [row("bob/sea", confidence=10)]),
        ("depends = default\nsupported_games = sea", False, [row("bob/sea", confidence=10), row("bob/sky_game")]),
    ],
)
def test_the_conf_and_the_dependencies_determine_the_game_support(
    client: Client, bearer: dict[str, str], conf: str, all_games: bool, rows: list[Any]
) -> None:
    assert check(client, bearer, conf) == (None, all_games, rows)


@pytest.mark.parametrize(
    ("conf", "error"),
    [
        ("depends = nothing", "Unable to fulfill dependency nothing"),
        ("depends = waves, nothing", "Unable to fulfill dependency nothing"),
        ("depends = waves, clouds", "No game fulfills all dependencies"),
        ("depends = waves\nsupported_games = sky_game", "bob/sky_game does not fulfill the dependencies"),
        (
            "depends = waves\nsupported_games = *",
            "The package depends on mods that only some games have, and so cannot support all games",
        ),
    ],
)
def test_a_conflict_fails_the_release(client: Client, bearer: dict[str, str], conf: str, error: str) -> None:
    assert check(client, bearer, conf) == (f"Error validating game support: {error}", False, [])


def test_a_release_keeps_the_authors_setting_on_the_site(client: Client, bearer: dict[str, str]) -> None:
    setting = row("bob/sea", supports=False, confidence=11)
    change("Alice/mymod", game_support=[setting, row("bob/sky_game", confidence=10)])
    assert check(client, bearer, "depends = default") == (None, False, [setting, row("bob/sky_game")])


def test_drafts_of_one_author_can_depend_on_each_other(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/base")
    draft("bob/secret")
    assert check(client, bearer, "depends = base")[0] is None
    assert check(client, bearer, "depends = secret")[0] == (
        "Error validating game support: Unable to fulfill dependency secret"
    )
