"""Numbers, sizes, and keys as bytes."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from standalone.storage.tables import after, key_bytes, number_bytes
from standalone.storage.values import canonical, canonical_item, number_text

numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-90, 80),
).map(number_text)


@settings(max_examples=300, deadline=None)
@given(one=numbers, other=numbers)
def test_number_keys_sort_like_numbers(one: str, other: str) -> None:
    assert (number_bytes(one) < number_bytes(other)) == (Decimal(one) < Decimal(other))
    assert (number_bytes(one) == number_bytes(other)) == (Decimal(one) == Decimal(other))


@settings(max_examples=100, deadline=None)
@given(number=numbers)
def test_a_number_keeps_all_38_digits(number: str) -> None:
    assert Decimal(canonical({"N": number})[0]["N"]) == Decimal(number)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [("1.0", "1"), ("007", "7"), ("-0", "0"), ("1E3", "1000"), (".50", "0.5"), ("+1", "1"), ("1e-3", "0.001")],
)
def test_numbers_are_normalized(given_text: str, expected: str) -> None:
    assert canonical({"N": given_text})[0] == {"N": expected}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "ü"}, 2),
        ({"B": b"\x00\x01"}, 2),
        ({"N": "0"}, 1),
        ({"N": "123"}, 3),
        ({"N": "-1200"}, 3),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}]}, 6),
        ({"M": {"k": {"S": "ab"}}}, 7),
    ],
)
def test_sizes_follow_the_published_rules(value: dict[str, object], size: int) -> None:
    assert canonical(value)[1] == size
    assert canonical_item({"name": value})[1] == 4 + size


@given(prefix=st.binary(max_size=3), rest=st.binary(max_size=3))
def test_after_is_above_all_strings_with_the_prefix(prefix: bytes, rest: bytes) -> None:
    prefix = b"\0" + prefix  # all places start with a zero byte
    assert prefix + rest < after(prefix)
    assert not after(prefix).startswith(prefix)


@given(
    one=st.lists(st.binary(max_size=3), min_size=2, max_size=2),
    other=st.lists(st.binary(max_size=3), min_size=2, max_size=2),
)
def test_places_sort_by_their_keys_in_order(one: list[bytes], other: list[bytes]) -> None:
    places = [b"".join(key_bytes({"B": key}) for key in keys) for keys in (one, other)]
    assert (places[0] < places[1], places[0] == places[1]) == (one < other, one == other)
