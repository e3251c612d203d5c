"""The rows of modules by which searches work: loaded ones equal the ones that were stored."""

from bench.catalogue import module
from chalicelib.core.entries import replace
from chalicelib.core.snapshots import Snapshot
from chalicelib.luarocks import index, search


def test_loaded_rows_equal_the_stored_ones() -> None:
    modules = dict(map(module, range(10)))
    first = next(iter(modules))
    modules[first] = replace(modules[first], archived=True)
    built = search.ROWS.build(Snapshot.of(index.catalogue.packing, 1, 1, modules.items()))
    keys = sorted(modules)
    encoded = search.ROWS.encode(built, {key: number for number, key in enumerate(keys)})
    assert search.ROWS.decode(encoded, keys) == built
    assert built.keys() == modules.keys() - {first}


def test_a_line_break_in_a_text_starts_no_other_text() -> None:
    key, value = module(1)
    value = replace(value, summary="Fast\nParser", description="of JSON\r\nand XML")
    row = search.ROWS.build(Snapshot.of(index.catalogue.packing, 1, 1, [(key, value)]))[key]
    assert row.text.count("\n") == 3
    assert "fast parser\n" in row.text
