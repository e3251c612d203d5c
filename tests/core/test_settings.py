"""Settings from the environment."""

from dataclasses import FrozenInstanceError, fields

import pytest

from chalicelib import settings
from chalicelib.settings import CHOICES, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_every_field_can_be_set() -> None:
    texts = {str: "text", int: "7", bool: "yes", tuple: "one, two"}
    values = {str: "text", int: 7, bool: True, tuple: ("one", "two")}
    mail = {"smtp_url": "smtp://mail.example.org", "mail_from": "a@example.org", "mail_base_url": "https://example.org"}
    special = {"outbound_networks": "10.0.0.0/8", **mail}
    chosen = {name: choices[-1] for name, choices in CHOICES.items()} | special
    environ = {
        f"MOONBASE_{field.name.upper()}": chosen.get(field.name, texts[type(field.default)])
        for field in fields(Settings)
    }
    expected = {field.name: chosen.get(field.name, values[type(field.default)]) for field in fields(Settings)}
    expected["outbound_networks"] = ("10.0.0.0/8",)
    assert Settings.from_environment(environ) == Settings(**expected)


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-north-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-north-1", "MOONBASE_REGION": "eu-south-1"}, "eu-south-1"),
    ],
)
def test_the_region_is_that_of_lambda_unless_set(environ: dict[str, str], region: str) -> None:
    assert Settings.from_environment(environ).region == region


@pytest.mark.parametrize("text", ["", "ten", "-1", "1.5", "1e6", "²", "10 MB", "0x10"])
def test_an_invalid_number_is_an_error_with_the_variable_s_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^MOONBASE_MAX_BODY must be a whole number"):
        Settings.from_environment({"MOONBASE_MAX_BODY": text})


@pytest.mark.parametrize("name", CHOICES)
def test_an_invalid_choice_is_an_error_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=f"^MOONBASE_{name.upper()} must be one of: '"):
        Settings.from_environment({f"MOONBASE_{name.upper()}": "other"})


@pytest.mark.parametrize(("text", "strict"), [("yes", True), ("YES", True), ("no", False)])
def test_a_boolean_is_yes_or_no(text: str, strict: bool) -> None:
    assert Settings.from_environment({"MOONBASE_CONTENTDB_STRICT_NAMES": text}).contentdb_strict_names is strict


@pytest.mark.parametrize("text", ["", "true", "1", "yes please"])
def test_an_invalid_boolean_is_an_error_with_the_variable_s_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^MOONBASE_CONTENTDB_STRICT_NAMES must be yes or no"):
        Settings.from_environment({"MOONBASE_CONTENTDB_STRICT_NAMES": text})


@pytest.mark.parametrize(
    ("text", "origins"),
    [("", ()), (" , ,", ()), ("https://a.example", ("https://a.example",)), (" a , b,", ("a", "b"))],
)
def test_a_list_is_comma_separated(text: str, origins: tuple[str, ...]) -> None:
    assert Settings.from_environment({"MOONBASE_HEL_ORIGINS": text}).hel_origins == origins


def test_other_variables_are_ignored() -> None:
    assert Settings.from_environment({"MOONBASE_DATA": "x", "TABLES": "y", "moonbase_tables": "z"}) == Settings()


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        settings.current().tables = "other"  # type: ignore[misc]


def test_an_override_lasts_as_long_as_its_block() -> None:
    before = settings.current()
    with settings.override(max_body=1) as changed:
        assert (settings.current(), changed.max_body) == (changed, 1)
        with settings.override(max_answer=2) as inner:
            assert (inner.max_body, inner.max_answer) == (1, 2)
        assert settings.current() is changed
    assert settings.current() is before


def test_an_override_also_ends_with_an_exception() -> None:
    before = settings.current()
    with pytest.raises(ZeroDivisionError), settings.override(max_body=1):
        raise ZeroDivisionError
    assert settings.current() is before
