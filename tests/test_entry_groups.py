"""The groups of entries are stored with them, so a change of the groups needs a new shape, as a new field does."""

import pytest

from app import SLICES
from chalicelib.core.catalogues.packing import Entry
from chalicelib.hel.entry import PackageEntry
from chalicelib.luarocks.entry import ModuleEntry

CATALOGUES = {catalogue.name: catalogue for each in SLICES for catalogue in each.catalogues}
GROUPED = sorted(name for name, catalogue in CATALOGUES.items() if catalogue.packing.groups_of)

SAMPLES = {
    "luarocks": ModuleEntry(
        id=7,
        user_id=3,
        user="alice",
        name="say",
        current_version_id=8,
        created_at=1,
        updated_at=1,
        owners={"bob": 4},
        invited={"carol": 5},
        in_root=True,
        manifests=("Team",),
    ),
    "hel": PackageEntry(
        name="say",
        description="",
        short_description="",
        owners=("Alice", "bob"),
        authors=("carol",),
        license="MIT",
        tags=("one",),
        versions={},
        screenshots={},
        created_at=1,
        updated_at=1,
    ),
}
# The groups of the sample by the shape since which they are stored. Never change one: add one under the next shape.
RECORDED = {
    "luarocks": {1: [("manifest", "team"), ("name", "say"), ("owner", 3), ("owner", 4), ("root",), ("user", "alice")]},
    "hel": {2: [("name", "say"), ("owner", "alice"), ("owner", "bob")]},
}


@pytest.mark.parametrize("name", GROUPED)
def test_the_groups_of_entries_equal_those_recorded_for_their_shape(name: str) -> None:
    catalogue = CATALOGUES[name]
    newest = max(shape for shape in RECORDED[name] if shape <= catalogue.packing.codec.shape)
    assert catalogue.packing.groups_of is not None
    found = sorted(set(catalogue.packing.groups_of(Entry("", SAMPLES[name]))), key=str)
    assert found == RECORDED[name][newest], "Raise the catalogue's shape, and record its groups under the new number."
