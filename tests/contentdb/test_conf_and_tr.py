"""Luanti's text formats: `.conf` and `.po`, parsed as the engine parses them, and `.tr`, checked as by ContentDB."""

import pytest

from chalicelib.contentdb.releases import conf, gettext, translations
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
    ("text", "texts"),
    [
        ("", {}),
        ("# only a comment\n\n", {}),
        ("# textdomain: mymod\nHello=Hallo\n", {"Hello": "Hallo"}),
        ("\ufeff# textdomain:mymod\r\n\r\n# note\r\nA=B", {"A": "B"}),
        ("# textdomain: mymod\na@=b=c=d", {"a=b": "c=d"}),
        ("# textdomain: mymod\n@@=@n", {"@": "\n"}),
        ("# textdomain: mymod\n@1 of @2=@2, @2: @1", {"@1 of @2": "@2, @2: @1"}),
        ("# textdomain: mymod\n@1 of @2=all", {"@1 of @2": "all"}),
        ("# textdomain: mymod\none@\ntwo=eins@\nzwei\nthree=drei", {"one\ntwo": "eins\nzwei", "three": "drei"}),
        ("# textdomain: mymod\nempty=", {"empty": ""}),
        ("# textdomain: mymod\n=empty", {"": "empty"}),
    ],
)
def test_a_translation_file_is_parsed(text: str, texts: dict[str, str]) -> None:
    assert translations.parse(text, "mymod") == texts


ORDER = "The arguments of a source are @1, @2 and so on, each once"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nHello=Hallo", "Missing `# textdomain: mymod` at the top of the file"),
        ("#textdomain: mymod\nHello=Hallo", "Missing `# textdomain: mymod` at the top of the file"),
        ("a=b\n# textdomain: mymod", "Missing `# textdomain: mymod` at the top of the file"),
        ("# textdomain: other", "Line 1: The filename's textdomain (mymod) should match the comment (other)"),
        (
            "# textdomain: mymod\na=b\n# textdomain: x",
            "Line 3: The filename's textdomain (mymod) should match the comment (x)",
        ),
        ("# textdomain: mymod\n\nHello", "Line 3: Missing = in line"),
        ("# textdomain: mymod\nHello@=Hallo", "Line 2: Missing = in line"),
        ("# textdomain: mymod\na@xb=c", "Line 2: Unknown escape character: x"),
        ("# textdomain: mymod\na=b@\u0661", "Line 2: Unknown escape character: \u0661"),
        ("# textdomain: mymod\na@0=c", f"Line 2: Arguments out of order in source, found @0 and expected @1. {ORDER}"),
        ("# textdomain: mymod\n@1@5=", f"Line 2: Arguments out of order in source, found @5 and expected @2. {ORDER}"),
        ("# textdomain: mymod\n@1@1=", f"Line 2: Arguments out of order in source, found @1 and expected @2. {ORDER}"),
        ("# textdomain: mymod\n@1=@1@2", "Line 2: Unknown argument @2 in translated string"),
        ("# textdomain: mymod\na=@0", "Line 2: Unknown argument @0 in translated string"),
        ("# textdomain: mymod\na=b@", "Line 2: Unexpected end of file"),
    ],
)
def test_the_error_of_an_invalid_translation_file_contains_the_line(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        translations.parse(text, "mymod")
    assert caught.value.message == message


HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("", {}),
        (HEADER, {}),
        (HEADER + '\nmsgid "Hello"\nmsgstr "Hallo"\n', {"Hello": "Hallo"}),
        ('\ufeffmsgid "A"\r\nmsgstr "B"', {"A": "B"}),
        ('#: init.lua:3\nmsgid ""\n"Two "\n"parts"\nmsgstr "Zwei "\n"Teile"', {"Two parts": "Zwei Teile"}),
        ('msgid "a\\n\\t\\"b\\""\nmsgstr "\\x41\\102\\\\"', {'a\n\t"b"': "AB\\"}),
        ('msgctxt "mymod"\nmsgid "A"\nmsgstr "B"', {"A": "B"}),
        ('msgctxt "other"\nmsgid "A"\nmsgstr "B"', {}),
        ('#, fuzzy\nmsgid "A"\nmsgstr "B"\n\nmsgid "C"\nmsgstr "D"', {"C": "D"}),
        ('msgid "C"\nmsgstr "D"\n#, c-format, fuzzy\nmsgid "A"\nmsgstr "B"', {"C": "D"}),
        ('msgid "A"\nmsgstr ""\n', {}),
        ('msgid "one"\nmsgid_plural "many"\nmsgstr[0] "eins"\nmsgstr[1] "viele"\nmsgid "A"\nmsgstr "B"', {"A": "B"}),
        ('#~ msgid "old"\n#~ msgstr "alt"', {}),
        ('msgid "A"\nmsgstr "B"\nmsgctxt "other"\nmsgid "C"\nmsgstr "D"\n', {"A": "B"}),
    ],
)
def test_a_po_file_is_parsed(text: str, texts: dict[str, str]) -> None:
    assert gettext.parse(text, "mymod") == texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "Line 1: Expected msgctxt, msgid or msgstr with a string"),
        ('msgid "A"\nmsgstr "B" "C"', "Line 2: The string is not closed"),
        ('msgid "A', "Line 1: Expected msgctxt, msgid or msgstr with a string"),
        ('msgid "A"\n\n"B"', "Line 3: Unexpected string"),
        ('"A"', "Line 1: Unexpected string"),
    ],
)
def test_the_error_of_an_invalid_po_file_contains_the_line(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        gettext.parse(text, "mymod")
    assert caught.value.message == message
