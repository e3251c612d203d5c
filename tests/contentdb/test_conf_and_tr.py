"""Luanti's text formats `.conf` and `.tr`, parsed as the engine parses them."""

import pytest

from chalicelib.contentdb.releases import conf, translations
from chalicelib.core.errors import Invalid


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("# only a comment\n\n", {}),
        ("name = mymod", {"name": "mymod"}),
        ("\ufeffname=mymod\r\n title =  My = Mod  ", {"name": "mymod", "title": "My = Mod"}),
        ("empty =", {"empty": ""}),
        ('a = """one line"""\nb = 2', {"a": "one line", "b": "2"}),
        ('a = """\nfirst\n  second\n"""\nb = 2', {"a": "\nfirst\n  second\n", "b": "2"}),
        ('a = """first\n# no comment\nlast"""', {"a": "first\n# no comment\nlast"}),
    ],
)
def test_a_conf_has_keys_and_values(text: str, found: dict[str, str]) -> None:
    assert conf.parse(text, "mod.conf") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name", "x.conf line 1: expected `key = value`"),
        ("\n= value", "x.conf line 2: expected `key = value`"),
        ("a = 1\na = 2", "x.conf line 2: duplicate key a"),
        ('b = 1\na = """\nnever', "x.conf line 2: the triple quotes are never closed"),
    ],
)
def test_the_error_of_an_invalid_conf_contains_the_line(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        conf.parse(text, "x.conf")
    assert caught.value.message == message


@pytest.mark.parametrize(("value", "found"), [(None, []), ("", []), (" , ", []), ("a, b,c ,", ["a", "b", "c"])])
def test_a_list_is_separated_by_commas(value: str | None, found: list[str]) -> None:
    assert conf.names(value) == found


@pytest.mark.parametrize(
    ("text", "domain", "texts"),
    [
        ("# textdomain: mymod\nHello=Hallo\n", "mymod", {"Hello": "Hallo"}),
        ("#textdomain:mymod\r\n\r\n# note\r\nA=B", "mymod", {"A": "B"}),
        ("a@=b=c=d", None, {"a=b": "c=d"}),
        ("@@=@n@1 of @2", None, {"@": "\n@1 of @2"}),
        ("one@\ntwo=eins@\nzwei\nthree=drei", None, {"one\ntwo": "eins\nzwei", "three": "drei"}),
        ("empty=", None, {"empty": ""}),
    ],
)
def test_a_translation_file_is_parsed(text: str, domain: str | None, texts: dict[str, str]) -> None:
    assert translations.parse(text, "x.tr") == (domain, texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nHello", "x.tr line 2: expected an equals sign"),
        ("a@xb=c", "x.tr line 1: unexpected escape @x"),
        ("a@0=c", "x.tr line 1: unexpected escape @0"),
        ("a=b@", "x.tr line 1: unexpected escape @"),
    ],
)
def test_the_error_of_an_invalid_translation_file_contains_the_line(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        translations.parse(text, "x.tr")
    assert caught.value.message == message
