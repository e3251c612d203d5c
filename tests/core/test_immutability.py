"""Immutable works, and the reasons of archived ones: the rules that services share."""

import pytest

from chalicelib import settings
from chalicelib.core import archiving, immutability, registry
from chalicelib.core.errors import Invalid
from chalicelib.core.immutability import Immutable
from chalicelib.core.registry import DeclarationError


def test_the_setting_or_the_owners_choose_it() -> None:
    assert not immutability.applies("luarocks")
    assert immutability.applies("luarocks", chosen=True)
    with settings.override(immutable=("luarocks",)):
        assert immutability.applies("luarocks")
        assert not immutability.applies("hel")


def test_a_published_file_keeps_its_content() -> None:
    published = {"a.lua": "1", "b.lua": None}
    immutability.require_same(published, {"a.lua": "1", "b.lua": "2", "c.lua": "3"})
    with pytest.raises(Immutable, match=r"^a\.lua is published already, and its content cannot be replaced"):
        immutability.require_same(published, {"a.lua": "2"})


def test_a_service_that_does_not_support_it_is_an_error_at_the_start() -> None:
    message = r"^MOONBASE_IMMUTABLE: luadns is none of the services that support it: luarocks"
    with settings.override(immutable=("luarocks", "luadns")), pytest.raises(DeclarationError, match=message):
        registry.Registry(registry.current().declarations)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(Invalid, match="one line of at most 200 characters"):
        archiving.check_reason(reason)
    assert archiving.check_reason("Leaks memory.") == "Leaks memory."
    assert archiving.check_reason(None) is None
