"""The package model: every error, with nothing stored, and the stored form of valid packages."""

from typing import Any

import pytest

from tests.client import Client
from tests.hel.builders import LONGEST, MOST, Create, Limit, package, refusal, stored

NAME = "The name contains illegal characters. Allowed are: lowercase alphabetic characters, numbers and a dash (-)."
SOME = [None, 5, 1.5, True, "text", [], {}]
URL = "http://example.com/f"


def version(**more: object) -> dict[str, Any]:
    return {"versions": {"1.0.0": {"files": {}, "depends": {}, **more}}}


def file(url: str = URL, **location: object) -> dict[str, Any]:
    return version(files={url: location or {"path": "/x"}})


def dependency(**fields: object) -> dict[str, Any]:
    return version(depends={"other": fields})


def bad(value: str) -> str:
    return f"Bad value {value} in the data you provided."


def assert_refused(create: Create, data: object, message: str) -> None:
    reply = create(data)
    assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True)), data
    assert stored() == []


def other_than(*types: type) -> list[object]:
    return [value for value in SOME if type(value) not in types]


NOT_OBJECTS = [b"", b"{", b"null", b"5", b'"text"', b"[]", b"[{}]", b"{'a': 1}", b"\xff", b"\xef\xbb\xbf{}", b"NaN"]


def test_a_body_that_is_not_a_json_object_is_a_bad_request(client: Client, session: dict[str, str]) -> None:
    for body in [*NOT_OBJECTS, b"[" * 5000]:
        reply = client.post("/packages", body=body, headers=session)
        assert (reply.status, reply.json) == (400, refusal(400, "Bad request.", logged_in=True)), body
    assert stored() == []


@pytest.mark.parametrize(
    "field",
    ["name", "description", "short_description", "authors", "license", "tags", "versions", "screenshots"],
)
def test_the_error_names_a_missing_field(create: Create, field: str) -> None:
    data = package()
    del data[field]
    assert_refused(create, data, bad(f"'{field}'"))


@pytest.mark.parametrize("field", ["name", "description", "short_description", "license"])
def test_a_text_field_must_be_a_text(create: Create, field: str) -> None:
    for value in other_than(str):
        assert_refused(create, package(**{field: value}), bad(f"'{field}'"))


@pytest.mark.parametrize("field", ["owners", "authors", "tags"])
def test_a_list_field_must_contain_texts(create: Create, field: str) -> None:
    for value in [*other_than(list), [1], [None], [["a"]], ["a", {}]]:
        assert_refused(create, package(**{field: value}), bad(f"'{field}'"))


@pytest.mark.parametrize("field", ["versions", "screenshots"])
def test_an_object_field_must_be_an_object(create: Create, field: str) -> None:
    for value in other_than(dict):
        assert_refused(create, package(**{field: value}), bad(f"'{field}'"))


def test_a_version_must_be_an_object(create: Create) -> None:
    for value in other_than(dict):
        assert_refused(create, package(versions={"1.0.0": value}), bad("'versions'"))


@pytest.mark.parametrize("field", ["files", "depends"])
def test_files_and_dependencies_must_be_objects(create: Create, field: str) -> None:
    for value in other_than(dict):
        assert_refused(create, package(**version(**{field: value})), bad(f"'{field}'"))


def test_a_version_must_have_files_and_dependencies(create: Create) -> None:
    for field in ["files", "depends"]:
        data = version()
        del data["versions"]["1.0.0"][field]
        assert_refused(create, package(**data), bad(f"'{field}'"))


def test_changes_must_be_a_text(create: Create) -> None:
    for value in other_than(str):
        assert_refused(create, package(**version(changes=value)), bad("'changes'"))


def test_a_file_must_be_an_object(create: Create) -> None:
    for value in other_than(dict):
        assert_refused(create, package(**version(files={URL: value})), bad("'files'"))


def test_a_file_must_have_a_path_or_both_dir_and_name(create: Create) -> None:
    incomplete: list[tuple[dict[str, object], str]] = [
        ({"spam": 1}, "path"),
        ({"path": None}, "path"),
        ({"path": 5}, "path"),
        ({"path": ["/x"]}, "path"),
        ({"dir": "/x"}, "name"),
        ({"name": "x"}, "dir"),
        ({"dir": 5, "name": "x"}, "dir"),
        ({"dir": "/", "name": []}, "name"),
    ]
    for location, field in incomplete:
        assert_refused(create, package(**file(**location)), bad(f"'{field}'"))


def test_a_path_must_name_a_file(create: Create) -> None:
    for path in [
        "",
        "/",
        "//",
        ".",
        "..",
        "/..",
        "x/",
        "/usr/bin/",
        "/a/..",
        "a\nb",
        "/a\\b",
        "/a\x9bb",
        "/a\x00b",
        "/a\x7f",
        "\t",
    ]:
        assert_refused(create, package(**file(path=path)), "Bad path given.")


def test_dir_and_name_must_name_a_file(create: Create) -> None:
    for directory, name in [("/u", ""), ("/u", "a/b"), ("/u", "."), ("/u", ".."), ("", ".."), ("/a\n", "b")]:
        assert_refused(create, package(**file(dir=directory, name=name)), "Bad path given.")


URLS = [
    "",
    "file1",
    "/file1",
    "//example.com/file1",
    "example.com/file1",
    "ftp://example.com/x",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "HTTP://example.com/x",
    "Https://example.com/x",
    "http:",
    "http:/x",
    "http://",
    "http:///x",
    "http://:80/x",
    "http://user@/x",
    "http://example.com/a b",
    "http://example.com/é",
    "http://example.com/%",
    "http://example.com/%zz",
    "http://example.com/<x>",
    "http://example.com/x\n",
    "http://example.com/x\r\nX: y",
    "http://example.com:http/x",
    "http://example.com/a?b#c#d",
    "http://exa[mple.com/",
    " http://example.com/",
]


def test_a_files_url_must_be_absolute_http(create: Create) -> None:
    for url in URLS:
        assert_refused(create, package(**file(url)), "Invalid URI given.")


def test_a_screenshots_url_must_be_absolute_http(create: Create) -> None:
    for url in URLS:
        assert_refused(create, package(screenshots={url: "x"}), "Invalid URI given.")


def test_a_screenshot_must_have_a_description(create: Create) -> None:
    for value in other_than(str):
        assert_refused(create, package(screenshots={URL: value}), bad("'screenshots'"))


def test_a_dependency_must_be_an_object(create: Create) -> None:
    for value in other_than(dict):
        assert_refused(create, package(**version(depends={"other": value})), bad("'depends'"))


@pytest.mark.parametrize("field", ["type", "version"])
def test_the_fields_of_a_dependency_must_be_texts(create: Create, field: str) -> None:
    for value in other_than(str):
        fields = {"type": "required", "version": "*", field: value}
        assert_refused(create, package(**dependency(**fields)), bad(f"'{field}'"))


def test_a_dependency_must_have_a_version_and_a_type(create: Create) -> None:
    assert_refused(create, package(**dependency(type="required")), bad("'version'"))
    assert_refused(create, package(**dependency(version="*")), bad("'type'"))


def test_a_dependency_must_have_one_of_three_types(create: Create) -> None:
    for kind in ["", "Required", "needed"]:
        assert_refused(create, package(**dependency(type=kind, version="*")), bad("Unknown dependency type."))


def test_the_error_quotes_an_invalid_range(create: Create) -> None:
    expected = bad("Invalid requirement specification: 'hi'")
    assert_refused(create, package(**dependency(type="required", version="hi")), expected)


def test_the_error_quotes_an_invalid_version_number(create: Create) -> None:
    data = package(versions={"abc": {"files": {}, "depends": {}}})
    assert_refused(create, data, bad("Version string lacks a numerical component: 'abc'"))


def test_two_numbers_of_one_version_are_rejected(create: Create) -> None:
    one = {"files": {}, "depends": {}}
    expected = "Bad value '1.0.0' is there twice in the data you provided."
    assert_refused(create, package(versions={"1.0": one, "1.0.0": one}), expected)


def test_two_urls_of_one_file_are_rejected(create: Create) -> None:
    files = {f"{URL}#1": {"path": "/a"}, f"{URL}#2": {"path": "/b"}}
    expected = f"Bad value '{URL}' is there twice in the data you provided."
    assert_refused(create, package(**version(files=files)), expected)


def test_a_name_must_have_valid_letters(create: Create) -> None:
    for name in [
        "",
        "Thing",
        "a_b",
        "a b",
        "A b",
        "a b c",
        "A b  c",
        "A b c ",
        "A b c_d",
        "a.b",
        "a/b",
        "é",
        "thing\n",
        "../x",
    ]:
        assert_refused(create, package(name), NAME)


def test_a_name_has_at_most_100_characters(create: Create) -> None:
    assert_refused(create, package("a" * 101), "The name is longer than 100 characters.")
    assert create(package("a" * 100)).status == 201


def test_a_package_must_have_an_owner(create: Create) -> None:
    assert_refused(create, package(owners=[]), "The list of owners is expected not to be empty.")


def test_an_owner_must_have_the_letters_of_a_nickname(create: Create) -> None:
    for owner in ["", "a b", "é", "bob\n", "a.b"]:
        assert_refused(create, package(owners=["bob", owner]), "The nickname contains illegal characters.")


def test_an_owner_must_have_the_length_of_a_nickname(create: Create) -> None:
    for owner in ["x", "x" * 26]:
        assert_refused(create, package(owners=[owner]), "A nickname has 2 to 25 characters.")


@pytest.mark.parametrize("limit", LONGEST, ids=lambda limit: limit[0])
def test_the_texts_of_a_package_have_a_length(create: Create, limit: Limit) -> None:
    field, longest, of_length = limit
    message = f"A value of {field} is longer than {longest} characters."
    assert_refused(create, package(**of_length(longest + 1)), message)
    assert create(package(**of_length(longest))).status == 201


@pytest.mark.parametrize("limit", MOST, ids=lambda limit: limit[0])
def test_the_lists_of_a_package_have_a_length(create: Create, limit: Limit) -> None:
    field, most, of_length = limit
    assert_refused(create, package(**of_length(most + 1)), f"There are more than {most} {field}.")
    assert create(package(**of_length(most))).status == 201


def stored_form(client: Client, create: Create, **more: object) -> dict[str, Any]:
    reply = create(package(**more))
    assert reply.status == 201, reply.json
    return dict(client.get("/packages").json["data"]["list"][0])


def test_a_package_may_be_empty(client: Client, create: Create) -> None:
    empty = {"authors": [], "tags": [], "versions": {}, "screenshots": {}, "description": "", "license": ""}
    assert stored_form(client, create, **empty).items() >= empty.items()


def test_version_numbers_are_normalised(client: Client, create: Create) -> None:
    one = {"files": {}, "depends": {}, "changes": "First"}
    versions = stored_form(client, create, versions={"1": one, "2.1-beta": one})["versions"]
    assert versions == {"1.0.0": one, "2.1.0-beta": one}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("http://example.com", "http://example.com/"),
        ("http://example.com?a=b", "http://example.com/?a=b"),
        ("https://example.com/x#part", "https://example.com/x"),
        ("http://bob:pw@example.com:8080/a%20b;c?d=e/f?g", "http://bob:pw@example.com:8080/a%20b;c?d=e/f?g"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://EXAMPLE.com/../x", "http://EXAMPLE.com/../x"),
    ],
)
def test_urls_are_stored_with_a_path_and_without_a_fragment(
    client: Client, create: Create, sent: str, expected: str
) -> None:
    data = stored_form(client, create, **file(sent), screenshots={sent: "x"})
    assert (list(data["versions"]["1.0.0"]["files"]), data["screenshots"]) == ([expected], {expected: "x"})


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"path": "/usr/bin/x"}, {"dir": "/usr/bin", "name": "x", "path": "/usr/bin/x"}),
        ({"path": "usr/bin/x"}, {"dir": "/usr/bin", "name": "x", "path": "/usr/bin/x"}),
        ({"path": "x//y/./z"}, {"dir": "/x/y", "name": "z", "path": "/x/y/z"}),
        ({"path": "//x"}, {"dir": "/", "name": "x", "path": "/x"}),
        ({"path": "/../../etc/passwd"}, {"dir": "/etc", "name": "passwd", "path": "/etc/passwd"}),
        ({"path": "../../x"}, {"dir": "/", "name": "x", "path": "/x"}),
        ({"dir": "lib", "name": "y"}, {"dir": "/lib", "name": "y", "path": "/lib/y"}),
        ({"dir": "", "name": "y"}, {"dir": "/", "name": "y", "path": "/y"}),
        ({"dir": "//usr/lib/", "name": "y"}, {"dir": "/usr/lib", "name": "y", "path": "/usr/lib/y"}),
        ({"dir": "../a/./b", "name": "y"}, {"dir": "/a/b", "name": "y", "path": "/a/b/y"}),
        ({"path": "/a", "dir": 5, "name": []}, {"dir": "/", "name": "a", "path": "/a"}),
    ],
    ids=repr,
)
def test_paths_are_normalised(
    client: Client, create: Create, sent: dict[str, object], expected: dict[str, str]
) -> None:
    assert stored_form(client, create, **file(**sent))["versions"]["1.0.0"]["files"] == {URL: expected}


def test_a_dependency_need_not_exist(client: Client, create: Create) -> None:
    depends = {"No such PACKAGE": {"type": "optional", "version": "^1"}}
    assert stored_form(client, create, **version(depends=depends))["versions"]["1.0.0"]["depends"] == depends


@pytest.mark.parametrize("field", ["description", "short_description", "license", "authors", "tags", "changes"])
def test_a_text_has_no_control_characters_but_tabs_and_line_breaks(create: Create, field: str) -> None:
    def with_text(text: str, name: str = "thing") -> dict[str, Any]:
        if field == "changes":
            return package(name, versions={"1.0.0": {"files": {}, "depends": {}, "changes": text}})
        return package(name, **{field: [text] if field in ("authors", "tags") else text})

    for character in "\x00\x08\x1b\x7f\x9b":
        assert_refused(create, with_text(f"a{character}b"), f"A value of {field} has control characters.")
    assert create(with_text("a\tb\r\nc\u2028é")).status == 201


def test_a_file_cannot_be_inside_of_a_file(create: Create) -> None:
    files = {"http://x.org/1": {"path": "/a/b"}, "http://x.org/2": {"path": "/a/b/c/d"}}
    versions = {"1.0.0": {"files": files, "depends": {}}}
    assert_refused(create, package(versions=versions), "The file /a/b/c/d cannot be inside of the file /a/b.")
