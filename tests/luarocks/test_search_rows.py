"""The rows of modules by which searches work: loaded ones equal the ones that were stored."""

from chalicelib.core.catalogues.entries import replace
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.luarocks import index, search
from chalicelib.luarocks.search import ModuleRow
from tests.luarocks.large_catalogue import module


def test_loaded_rows_equal_the_stored_ones() -> None:
    modules = {f"large/large-{number}": module(number) for number in range(10)}
    modules["large/large-0"] = replace(modules["large/large-0"], archived=True)
    modules["large/large-1"] = replace(modules["large/large-1"], labels=("json",), summary="Fast", description="One")
    built = search.ROWS.build(Snapshot.of(index.catalogue.packing, 1, 1, modules.items()))
    keys = sorted(modules)
    encoded = search.ROWS.encode(built, {key: number for number, key in enumerate(keys)})
    loaded = search.ROWS.decode(encoded, keys)
    for name in ModuleRow.fields():
        assert {key: getattr(row, name) for key, row in loaded.items()} == {
            key: getattr(row, name) for key, row in built.items()
        }
    assert built.keys() == modules.keys() - {"large/large-0"}


def test_a_line_break_in_a_text_starts_no_other_text() -> None:
    value = replace(module(1), summary="Fast\nParser", description="of JSON\r\nand XML")
    row = search.ROWS.build(Snapshot.of(index.catalogue.packing, 1, 1, [("large/large-1", value)]))["large/large-1"]
    assert row.text == "large-1\nfast parser\n\nof json\r and xml"
