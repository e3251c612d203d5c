"""Version numbers and ranges: the stored form, hpm's evaluation, and python-semver's texts."""

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.hel import semver


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.2.3", "1.2.3"),
        ("1", "1.0.0"),
        ("1.0", "1.0.0"),
        ("01.2", "1.2.0"),
        ("1.2.3.4", "1.2.3+4"),
        ("1.0-beta", "1.0.0-beta"),
        ("1.0.0-alpha.1+build.5", "1.0.0-alpha.1+build.5"),
        ("1.0.0-a_b", "1.0.0-a-b"),
        ("20170220123456", "20170220123456.0.0"),
    ],
)
def test_a_number_is_normalised(text: str, number: str) -> None:
    assert semver.normalise(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Version string lacks a numerical component: ''"),
        ("v1", "Version string lacks a numerical component: 'v1'"),
        ("test", "Version string lacks a numerical component: 'test'"),
        ("1.0.0-01", "Invalid leading zero in identifier '01'"),
        ("1..2", "Invalid empty identifier '' in '.2'"),
        ("1" * 15, f"Invalid version string: '{'1' * 15}'"),
        ("1" * 201, "Version string is longer than 200 characters"),
    ],
)
def test_an_invalid_number_is_rejected(text: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        semver.normalise(text)
    assert refused.value.message == message


@pytest.mark.parametrize(
    "text",
    [
        *("*", "1", "1.2", "1.2.3", "=1", "==1.2", "!=1.2.3", "<1", "<=1.2", ">2", ">=1.0.0-alpha", ">2,<2.3.2"),
        *("^1", "^0", "^0.1.2", "~1.2", "~1.2.3", "1,*", "<2.0.0-", "1-alpha", "1.0.0+b.1", "=1.0.0+b", "!=1.0.0+b"),
    ],
)
def test_a_range_that_hpm_evaluates_is_accepted(text: str) -> None:
    semver.check_range(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid empty requirement specification: ''"),
        ("1,", "Invalid empty requirement specification: ''"),
        ("1,,2", "Invalid empty requirement specification: ''"),
        ("hi", "Invalid requirement specification: 'hi'"),
        ("latest", "Invalid requirement specification: 'latest'"),
        ("~=1.0", "Invalid requirement specification: '~=1.0'"),
        ("~>1.0", "Invalid requirement specification: '~>1.0'"),
        ("> 1", "Invalid requirement specification: '> 1'"),
        (">=1, <2", "Invalid requirement specification: ' <2'"),
        ("1||2", "Invalid version string: '1||2'"),
        ("666.*", "Invalid version string: '666.*'"),
        ("1.x", "Invalid version string: '1.x'"),
        ("1 ", "Invalid version string: '1 '"),
        ("1\n", r"Invalid version string: '1\n'"),
        ("01.2", "Invalid version string: '01.2'"),
        ("1.2.3.4", "Invalid version string: '1.2.3.4'"),
        ("1.0.0-01", "Invalid version string: '1.0.0-01'"),
        ("1" * 15, f"Invalid version string: '{'1' * 15}'"),
        ("\u0661", "Invalid requirement specification: '\u0661'"),
        ("<1.0.0+b", "Invalid requirement specification '<1.0.0+b': build numbers have no ordering."),
        ("~1", "Invalid requirement specification: '~1'; write '^1', which hpm can read."),
        ("1" * 201, "Requirement specification is longer than 200 characters"),
    ],
)
def test_a_range_that_breaks_a_client_is_rejected(text: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        semver.check_range(text)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("numbers", "highest"),
    [
        ([], None),
        (["1.9.0", "1.10.0", "1.2.0"], "1.10.0"),
        (["1.0.0-rc.1", "1.0.0"], "1.0.0"),
        (["1.0.0", "2.0.0-alpha"], "2.0.0-alpha"),
    ],
)
def test_the_latest_is_the_highest_number_including_pre_releases(numbers: list[str], highest: str | None) -> None:
    assert semver.latest(numbers) == highest
