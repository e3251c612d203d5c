"""The registry refuses slices that do not fit together: a name that two of them declare, an area of blobs inside
another, an unknown setting, an invalid ladder of ranks.
"""

from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core import registry
from chalicelib.core.declaration import Declaration, JobHandler, RepeatingJob, Switch, Table
from chalicelib.core.registry import CORE_RANKS, DeclarationError, Registry
from chalicelib.core.tables import CoreItem
from chalicelib.web.slice import Shelf
from tests.slices.books import books, catalogue, service
from tests.web.toy import slice_of


def nothing(*_: Any) -> list[Any]:
    return []


JOB, REPEATING = JobHandler("sweep", nothing), RepeatingJob("sweep", nothing, every=60)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("table moonbase-core", {"tables": (Table(CoreItem),)}, {"tables": (Table(CoreItem),)}),
        ("catalogue books", {"catalogues": (catalogue,)}, {"catalogues": (catalogue,)}),
        ("job sweep", {"jobs": (JOB,)}, {"jobs": (JOB,)}),
        ("job sweep", {"jobs": (JOB,)}, {"repeating_jobs": (REPEATING,)}),
        ("job sweep", {"repeating_jobs": (REPEATING,)}, {"repeating_jobs": (REPEATING,)}),
        ("blob area x", {"transient_areas": ("x",)}, {"tables": (Table(CoreItem, areas=("x",)),)}),
        ("switch on", {"switches": (Switch("on", "a", "b"),)}, {"switches": (Switch("on", "c", "d"),)}),
        ("setting blobs", {"settings": ("blobs",)}, {"settings": ("blobs",)}),
        ("ladder of ranks", {"ranks": CORE_RANKS}, {"ranks": CORE_RANKS}),
    ],
)
def test_a_name_that_two_slices_declare_is_refused(name: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError) as refusal:
        Registry([Declaration(name="one", **one), Declaration(name="other", **other)])
    assert str(refusal.value) == f"The {name} is declared by one and by other."


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("path /books", {"paths": ("/books",)}),
        ("shelf Books", {"paths": (), "works": Shelf("Books", nothing)}),
        ("path of uploads", {"paths": (), "upload_path": "/elsewhere"}),
    ],
)
def test_a_name_that_two_services_declare_is_refused(name: str, more: dict[str, Any]) -> None:
    paths = more.pop("paths")
    other = Declaration(name="other")
    one = slice_of(_named("books"), "/books", works=Shelf("Books", nothing), upload_path="/here")
    with pytest.raises(DeclarationError) as refusal:
        Registry([one, other, slice_of(_named("second"), *paths, **more)])
    assert str(refusal.value) == f"The {name} is declared by books and by second."


def _named(name: str) -> Any:
    return type(service)(name, nothing)  # type: ignore[arg-type]


def test_a_slice_cannot_be_listed_twice() -> None:
    with pytest.raises(DeclarationError, match=r"The slice books is declared by books and by books\."):
        Registry([books, books])


def test_a_job_that_a_slice_declares_twice_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"The job sweep is declared by one and by one\."):
        Registry([Declaration(name="one", jobs=(JOB, JOB))])


def test_an_area_of_blobs_inside_another_is_refused() -> None:
    outer, inner = Declaration(name="one", transient_areas=("x",)), Declaration(name="other", transient_areas=("x/y",))
    with pytest.raises(DeclarationError, match=r"The blob area x/y/ of other lies in x/ of one\."):
        Registry([outer, inner])


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"There is no setting books_most, which books declares\."):
        Registry([Declaration(name="books", settings=("books_most",))])


@pytest.mark.parametrize("ranks", [("BANNED",), ("ADMIN", "BANNED", "MEMBER", "MODERATOR"), (*CORE_RANKS, "ADMIN")])
def test_a_ladder_of_ranks_without_the_ranks_of_the_core_in_order_is_refused(ranks: tuple[str, ...]) -> None:
    with pytest.raises(DeclarationError, match=r"A ladder of ranks has these once, in this order: BANNED, MEMBER, "):
        Registry([Declaration(name="one", ranks=ranks)])


def test_a_ladder_with_a_repeated_rank_is_refused() -> None:
    ladder = ("BANNED", "NEW", "MEMBER", "NEW", "MODERATOR", "ADMIN")
    with pytest.raises(DeclarationError, match=r"A ladder of ranks names each rank once\."):
        Registry([Declaration(name="one", ranks=ladder)])


def test_without_a_ladder_the_ranks_are_those_of_the_core() -> None:
    assert Registry([]).ranks == CORE_RANKS


def test_every_setting_belongs_to_one_slice() -> None:
    owned = {name for each in registry.current().declarations for name in each.settings}
    assert owned == set(settings.Settings.__dataclass_fields__)
