"""Search with `q`: the matches and their order."""

from collections.abc import Callable

import pytest

from chalicelib.contentdb.packages import states
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, count, draft, published

ListNames = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _packages(alice: Account) -> None:
    published("Alice/food", title="Things to eat", short_description="Meals for everybody.")
    published("Alice/food_sweet", title="Sweets", short_description="Cakes, cookies and chocolate.")
    published("Alice/mobs", title="Mobs Redo", short_description="An API for monsters and animals.")
    published("Alice/lamps", title="Lamps", short_description="Running lights", long_description="Not for food.")


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("food", ["food", "food_sweet", "lamps"]),
        ("FOOD", ["food", "food_sweet", "lamps"]),
        ("foo", ["food", "food_sweet", "lamps"]),
        ("fooo", []),
        ("foods", ["food", "food_sweet", "lamps"]),
        ("ood", []),
        ("sweet", ["food_sweet"]),
        ("run light", ["lamps"]),
        ("runs", ["lamps"]),
        ("food cake", ["food_sweet"]),
        ("food monster", []),
        ("monster or cake", ["food_sweet", "mobs"]),
        ("food -cake", ["food", "lamps"]),
        ("-food", ["mobs"]),
        ('"mobs redo"', ["mobs"]),
        ('"redo mobs"', []),
        ("food_sweet", ["food_sweet"]),
        ("food-sweet", ["food_sweet"]),
        ('"animals', ["mobs"]),
        ("the", []),
        ("the food", ["food", "food_sweet", "lamps"]),
        ("or", []),
        ("-", []),
        ("%", []),
        ('"', []),
        ("food or", ["food", "food_sweet", "lamps"]),
        ("a" * 200, []),
        ("燈", []),
    ],
)
def test_words_match_by_stem_and_prefix(list_names: ListNames, q: str, found: list[str]) -> None:
    assert sorted(list_names({"q": q})) == found


@pytest.mark.parametrize("q", ["", "   "])
def test_a_blank_search_matches_all_packages(list_names: ListNames, q: str) -> None:
    assert len(list_names({"q": q})) == 4


def test_names_weigh_more_than_titles_and_titles_more_than_descriptions(list_names: ListNames) -> None:
    published("Alice/a", title="A", short_description="A", long_description="Copper wire")
    published("Alice/b", title="A", short_description="Copper")
    published("Alice/c", title="Copper", short_description="A")
    published("Alice/copper", title="A", short_description="A")
    assert list_names("q=copper") == ["copper", "c", "b", "a"]
    assert list_names("q=copper&order=asc") == ["copper", "c", "b", "a"]
    assert list_names("q=copper&sort=name&order=asc") == ["a", "b", "c", "copper"]


def test_a_whole_word_weighs_more_than_a_prefix(list_names: ListNames) -> None:
    published("Alice/ironwood", title="A", short_description="A")
    published("Alice/iron", title="A", short_description="A")
    assert list_names("q=iron") == ["iron", "ironwood"]


def test_equal_matches_are_in_order_of_score(list_names: ListNames) -> None:
    published("Alice/iron_a", title="A", short_description="A")
    published("Alice/iron_b", title="A", short_description="A")
    count("Alice/iron_b", score_downloads=5)
    assert list_names("q=iron") == ["iron_b", "iron_a"]


def test_a_search_can_have_filters(list_names: ListNames) -> None:
    change("Alice/food", type="GAME")
    assert list_names("q=food&type=game") == ["food"]


def test_drafts_are_not_found(list_names: ListNames) -> None:
    draft("Alice/copper")
    assert list_names("q=copper") == []
    states.apply("approve", "Alice", "copper")
    assert list_names("q=copper") == ["copper"]


def test_a_change_is_found_immediately(client: Client, list_names: ListNames) -> None:
    assert list_names("q=bulbs") == []
    change("Alice/lamps", title="Bulbs", short_description="Bright", long_description=None)
    assert (list_names("q=bulbs"), list_names("q=running"), list_names("q=lamps")) == (["lamps"], [], ["lamps"])
    states.apply("delete", "Alice", "lamps")
    assert list_names("q=bulbs") == []
