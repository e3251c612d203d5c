"""The supported games follow the packages on which they depend."""

import pytest

from chalicelib.contentdb.packages import registry, states, support_job
from chalicelib.contentdb.store import index, support_jobs
from chalicelib.contentdb.store.parts import load_parts
from chalicelib.contentdb.store.values import value_of
from chalicelib.core import job_runner, jobs
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, draft, names, published
from tests.contentdb.files import MOD, checked, upload, zipped
from tests.worlds import both_worlds


@pytest.fixture(autouse=True)
def _packages(alice: Account, bob: Account) -> None:
    """Two games, a mod that needs `waves` of one of them, and a mod that needs that mod."""
    for key, provides in (("bob/sea", ["default", "waves"]), ("bob/sky", ["default", "clouds"])):
        published(key, type="GAME")
        change(key, provides=provides)
    for name, depends in (("boat", ["waves"]), ("fleet", ["boat"]), ("lamp", [])):
        published(f"Alice/{name}")
        change(f"Alice/{name}", depends=depends)
    job_runner.run_due()


def rows(key: str) -> list[tuple[str, bool, int]]:
    """The game support of a package, which its entry and its item have."""
    entry = index.find(index.catalogue.snapshot(), key)
    assert entry
    assert value_of(load_parts(entry.value.id)) == entry.value
    return [(row.game, row.supports, row.confidence) for row in entry.value.game_support]


def stated(*games: str, supports: bool = True) -> list[dict[str, object]]:
    return [{"game": game, "supports": supports, "confidence": 10} for game in games]


def sidebar(client: Client, key: str) -> str:
    reply = client.get(f"/api/packages/{key}/for-client/", query="formspec_version=7")
    assert reply.status == 200
    return str(reply.json["info_hypertext"]["body"])


def test_mods_support_the_games_that_provide_their_dependencies_and_those_of_their_dependencies() -> None:
    assert [rows(f"Alice/{name}") for name in ("boat", "fleet", "lamp")] == [
        [("bob/sea", True, 1)],
        [("bob/sea", True, 1)],
        [],
    ]


def test_a_game_that_gains_a_mod_supports_its_dependents_in_lists_the_dialog_and_the_api(client: Client) -> None:
    change("bob/sky", provides=["default", "clouds", "waves"])
    job_runner.run_due()
    assert rows("Alice/fleet") == [("bob/sea", True, 1), ("bob/sky", True, 1)]
    assert names(client.get("/api/packages/", query="game=bob/sky")) == ["boat", "fleet"]
    assert "Supported Games: <b><action name=link_1><u>Sea</u></action>, <action name=link_2><u>Sky</u>" in sidebar(
        client, "Alice/fleet"
    )
    shown = client.get("/api/packages/Alice/fleet/").json["game_support"]
    assert [(row["game"]["name"], row["supports"]) for row in shown] == [("sea", True), ("sky", True)]


@both_worlds
def test_a_release_of_a_game_is_followed(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/isle", type="GAME")
    change("Alice/isle", state="APPROVED")
    game = {"game.conf": "title = Isle\n", "mods/waves/init.lua": "", "mods/waves/mod.conf": "name = waves\n"}
    task = checked(client, upload(client, "Alice/isle", bearer, zipped(game)))
    assert task["status"] == "SUCCESS", task
    job_runner.run_due()
    assert rows("Alice/fleet") == [("Alice/isle", True, 1), ("bob/sea", True, 1)]


def test_a_game_that_drops_a_mod_no_longer_supports_its_dependents(client: Client) -> None:
    change("bob/sea", provides=["default"])
    job_runner.run_due()
    assert (rows("Alice/boat"), rows("Alice/fleet")) == ([], [])
    assert "Supported Games: <b>None</b>" in sidebar(client, "Alice/fleet")  # no game provides what it needs


@pytest.mark.parametrize("verb", ["unapprove", "delete"])
def test_a_game_that_leaves_the_lists_is_followed_and_so_is_its_return(verb: str) -> None:
    states.apply(verb, "bob", "sea")
    job_runner.run_due()
    assert rows("Alice/fleet") == []
    if verb == "delete":
        states.apply("restore", "bob", "sea")
    states.apply("approve", "bob", "sea")
    job_runner.run_due()
    assert rows("Alice/fleet") == [("bob/sea", True, 1)]


def test_a_new_mod_for_every_game_frees_those_that_need_it() -> None:
    published("bob/raft")
    change("bob/raft", provides=["waves"])
    job_runner.run_due()
    assert (rows("Alice/boat"), rows("Alice/fleet")) == ([], [])


def test_the_authors_statements_stay_and_count_for_dependents() -> None:
    change("Alice/boat", game_support=stated("bob/sea", supports=False))
    job_runner.run_due()
    assert rows("Alice/boat") == [("bob/sea", False, 10)]
    assert rows("Alice/fleet") == []
    change("bob/sky", provides=["waves"])
    job_runner.run_due()
    assert rows("Alice/fleet") == [("bob/sky", True, 1)]


def test_a_mod_whose_games_are_all_excluded_does_not_free_its_dependents(client: Client) -> None:
    change("Alice/boat", game_support=stated("bob/sea", supports=False))
    job_runner.run_due()
    assert "Supported Games: <b>None</b>" in sidebar(client, "Alice/fleet")


def test_mods_that_need_each_other_are_limited_by_what_else_they_need() -> None:
    change("Alice/lamp", depends=["fleet"])
    change("Alice/fleet", depends=["lamp", "default"])
    job_runner.run_due()
    both = [("bob/sea", True, 1), ("bob/sky", True, 1)]
    assert (rows("Alice/lamp"), rows("Alice/fleet")) == (both, both)


def test_a_game_of_a_new_author_keeps_its_supporters(alice: Account) -> None:
    change("Alice/lamp", game_support=stated("bob/sea"))
    registry.transfer("bob", "sea", alice)
    job_runner.run_due()
    assert rows("Alice/lamp") == [("Alice/sea", True, 10)]
    assert rows("Alice/fleet") == [("Alice/sea", True, 1)]


def test_a_mod_that_needs_no_game_says_so_and_a_deleted_game_is_not_shown(client: Client) -> None:
    assert "Supported Games: <b>No specific game required</b>" in sidebar(client, "Alice/lamp")
    change("Alice/lamp", supports_all_games=True, game_support=stated("bob/sky"))
    assert (
        "Supported Games: <b>No specific game required</b>\n\nTested with: <b><action name=link_1><u>Sky</u></action>"
    ) in sidebar(client, "Alice/lamp")
    states.apply("delete", "bob", "sky")
    job_runner.run_due()
    assert "Tested with" not in sidebar(client, "Alice/lamp")
    assert "bob/sky" not in sidebar(client, "Alice/lamp")
    assert client.get("/api/packages/Alice/lamp/").json["game_support"] == []


def test_edits_on_which_no_game_depends_start_no_job(client: Client, bearer: dict[str, str]) -> None:
    change("Alice/boat", title="Ship")
    assert [job for job in jobs.pending() if job.name == support_jobs.DERIVE] == []


def test_a_job_changes_forty_packages_at_once(calls: list[str]) -> None:
    for number in range(39):
        published(f"Alice/m{number}")
        change(f"Alice/m{number}", depends=["waves"])
    change("bob/sky", provides=["waves"])
    calls.clear()
    support_job.derive({"package": "bob/sky", "formerly": None, "names": ["waves"]})
    assert calls == 2 * ["Query", "TransactWriteItems"]
    games = [("bob/sea", True, 1), ("bob/sky", True, 1)]
    assert [rows(f"Alice/{name}") for name in ("boat", "fleet", *(f"m{n}" for n in range(39)))] == 41 * [games]


def test_a_release_is_checked_by_the_games_of_its_dependencies(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    conf = "name = mymod\ndepends = fleet\nsupported_games = sky\n"
    task = checked(client, upload(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": conf})))
    assert task["error"] == "Error validating game support: bob/sky does not fulfill the dependencies"
