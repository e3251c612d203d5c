"""The fields of entries are recorded, one file per catalogue and shape, because entries are stored by position."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from app import SLICES
from chalicelib.core.catalogues.entries import Struct

RECORDED = Path(__file__).parent / "shapes"
ROOT = Path(__file__).parent.parent
CATALOGUES = {catalogue.name: catalogue for each in SLICES for catalogue in each.catalogues}
OURS = sorted(name for name, one in CATALOGUES.items() if issubclass(one.codec.kinds[0], Struct))

HOW_TO_ADD_A_FIELD = """The fields of {name}'s entries differ from those of its shape {shape}.
Older and newer code reads stored entries by position. Therefore:
1. append the new field to the end of its struct, with a default; never insert, rename, retype or remove a field;
2. raise the `shape` of the catalogue;
3. keep tests/shapes/{name}.{shape}.txt, and add a file with the new number and these lines:
{fields}"""


class First(Struct):
    name: str


class Second(Struct):
    name: str
    owners: tuple[First, ...] = ()


class Inserted(Struct):
    colour: str
    name: str


def structs(kind: Any) -> Iterator[type[Struct]]:
    """Yield all structs that a type contains, each before the structs of its fields."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs(field.type)
    for argument in get_args(kind):
        yield from structs(argument)


def fields(kinds: Iterable[Any]) -> list[str]:
    """Return the structs' names, each followed by a line per field, such as `    size: int =`; ` =` marks a default."""
    found = dict.fromkeys(struct for kind in kinds for struct in structs(kind))
    return [line for struct in found for line in _lines(struct)]


def _lines(struct: type[Struct]) -> Iterator[str]:
    tag = struct.__struct_config__.tag
    yield f"{struct.__name__}" + (f" ({tag})" if tag is not None else "")
    for field in msgspec.structs.fields(struct):
        kind = field.type.__name__ if isinstance(field.type, type) and not get_args(field.type) else str(field.type)
        text = re.sub(r"\b(?:\w+\.)+(?=\w)", "", kind)
        yield f"    {field.name}: {text}" + ("" if field.required else " =")


def _by_struct(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line.startswith(" "):
            found[name].append(line)
        else:
            name, found[line] = line, []
    return found


def recorded(name: str, shape: int) -> list[str]:
    file = RECORDED / f"{name}.{shape}.txt"
    return file.read_text().splitlines() if file.exists() else []


def appends(before: list[str], after: list[str]) -> bool:
    """Whether the only changes are new structs and new fields at the ends of structs, each with a default."""
    older, newer = _by_struct(before), _by_struct(after)
    return all(
        name in newer
        and newer[name][: len(known)] == known
        and all(line.endswith(" =") for line in newer[name][len(known) :])
        for name, known in older.items()
    )


@pytest.mark.parametrize("name", OURS)
def test_the_fields_of_entries_equal_those_recorded_for_their_shape(name: str) -> None:
    codec = CATALOGUES[name].codec
    found = fields(codec.kinds)
    message = HOW_TO_ADD_A_FIELD.format(name=name, shape=codec.shape, fields="\n".join(found))
    assert found == recorded(name, codec.shape), message


@pytest.mark.parametrize("name", OURS)
def test_each_shape_only_appends_to_the_previous_one(name: str) -> None:
    for shape in range(2, CATALOGUES[name].codec.shape + 1):
        assert appends(recorded(name, shape - 1), recorded(name, shape)), f"{name}, shape {shape}"


def test_each_struct_is_listed_with_its_fields_in_order() -> None:
    assert fields([Second]) == ["Second", "    name: str", "    owners: tuple[First, ...] =", "First", "    name: str"]


def test_a_new_field_must_be_at_the_end_and_have_a_default() -> None:
    start = ["A", "    name: str"]
    assert appends(start, [*start, "    colour: str ="])
    assert appends(start, [*start, "B", "    name: str"])
    for wrong in (
        [*start, "    colour: str"],
        ["A", "    colour: str =", "    name: str"],
        ["A", "    name: int"],
        ["A", "    title: str"],
        ["A"],
        ["B", "    name: str"],
    ):
        assert not appends(start, wrong)


def test_old_and_new_code_can_read_an_appended_field_but_not_an_inserted_one() -> None:
    encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode
    assert decode(encode(First(name="ant")), type=Second) == Second(name="ant", owners=())
    assert decode(encode(Second(name="ant", owners=(First(name="bee"),))), type=First) == First(name="ant")
    assert decode(encode(Inserted(colour="red", name="ant")), type=First) == First(name="red")


WRONG = """
from chalicelib.core.catalogues.entries import Struct, replace

class Thing(Struct):
    name: str
    size: int = 0

thing = Thing(name="ant")
thing.nmae
thing.name = "bee"
replace(thing, nmae="bee")
replace(thing, name=1)
Thing(nmae="ant")
Thing("ant")
right: Thing = replace(thing, name="bee", size=1)
"""


def test_mypy_finds_misspelt_fields_and_wrong_types(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(tmp_path / "wrong.py")]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False).stdout
    assert [re.sub(r".*wrong.py:(\d+): error: ", r"\1 ", line) for line in output.splitlines()] == [
        '9 "Thing" has no attribute "nmae"  [attr-defined]',
        '10 Property "name" defined in "Thing" is read-only  [misc]',
        '11 Unexpected keyword argument "nmae" for "replace" of "Thing"  [call-arg]',
        '12 Argument "name" to "replace" of "Thing" has incompatible type "int"; expected "str"  [arg-type]',
        '13 Unexpected keyword argument "nmae" for "Thing"  [call-arg]',
        '14 Too many positional arguments for "Thing"  [call-arg]',
    ]
