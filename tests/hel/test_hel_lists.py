"""Lists beyond Hel's: sort, limit, ETag, the index; and warnings for authors."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.hel import counts, search
from tests.client import Client
from tests.hel.builders import Create, expected_package, list_packages, package, refusal


@pytest.fixture
def five(client: Client, create: Create) -> None:
    """m, z, a, k, b: created a second apart, viewed 0 to 4 times, and m updated last."""
    for number, name in enumerate("mzakb"):
        with time_machine.travel(f"2026-01-02T00:00:0{number}Z", tick=False):
            create(package(name, owners=["alice"]))
        for _ in range(number):
            client.get(f"/packages/{name}")
    counts.counters.publish()


def test_lists_are_sorted(client: Client, five: None) -> None:
    for sort, expected in {
        "name": "abkmz",
        "-name": "zmkba",
        "created": "mzakb",
        "-created": "bkazm",
        "views": "mzakb",
        "-views": "bkazm",
        "downloads": "mzakb",
        "-downloads": "mzakb",
    }.items():
        assert "".join(list_packages(client, sort=sort)) == expected
        assert "".join(list_packages(client, sort=sort, offset=1, limit=3)) == expected[1:4]


def test_packages_are_sorted_by_the_last_change(client: Client, five: None, session: dict[str, str]) -> None:
    with time_machine.travel("2026-01-03T00:00:00Z", tick=False):
        client.request("PATCH", "/packages/a", headers=session, json={})
    assert "".join(list_packages(client, sort="-updated")) == "abkzm"


def test_a_search_can_be_sorted(client: Client, five: None) -> None:
    assert list_packages(client, sort="-name", q="THE description", owners="alice", limit=2) == ["z", "m"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        *((f"sort={sort}", "A list can be sorted by name, created, updated, views, downloads; "
           "a leading - reverses the order.") for sort in ("size", "--name", "-", "Name", "name,views")),
        *((f"limit={limit}", "A limit is a whole number from 1 to 100.")
          for limit in ("0", "101", "-1", "x", "1.5", "1e2", "%C2%B2", "9" * 5000)),
        ("sort=", "No values given for sort."),
        ("limit=", "No values given for limit."),
        ("sort=name&sort=views", "Too many values (1 expected, got 2)."),
        ("limit=1&limit=2", "Too many values (1 expected, got 2)."),
    ],
)  # fmt: skip
def test_invalid_input_is_rejected(client: Client, query: str, message: str) -> None:
    reply = client.get("/packages", query=query)
    assert (reply.status, reply.json) == (400, refusal(400, message))


def test_the_limit_is_the_size_of_a_page(client: Client, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(150)
    pages = [client.get("/packages", query={"limit": limit, "offset": 140}).json["data"] for limit in (5, 100)]
    assert [(page["sent"], page["total"], page["truncated"]) for page in pages] == [(5, 150, True), (10, 150, True)]
    assert client.get("/packages", query={"limit": 100}).json["data"]["sent"] == 100


@pytest.mark.parametrize("path", ["/packages", "/users", "/hel/index"])
def test_an_unchanged_list_is_304(client: Client, create: Create, path: str) -> None:
    create()
    etag = client.get(path).header("etag") or ""
    for method in ("GET", "HEAD"):
        reply = client.request(method, path, headers={"If-None-Match": etag})
        assert (reply.status, reply.body, reply.header("etag")) == (304, b"", etag)
    if path != "/users":
        create(package("other"))
        assert client.get(path, headers={"If-None-Match": etag}).status == 200


def test_a_new_session_does_not_get_304(client: Client, create: Create, session: dict[str, str]) -> None:
    create()
    etag = client.get("/packages").header("etag") or ""
    assert client.get("/packages", headers={"If-None-Match": etag, **session}).json["logged_in"] is True


def test_the_index_contains_all_packages(client: Client, fill_catalogue: Callable[[int], None]) -> None:
    fill_catalogue(150)
    reply = client.get("/hel/index")
    data = reply.json["data"]
    assert data.pop("list") == [expected_package(f"p{number}") for number in range(150)]
    assert data == {"offset": 0, "total": 150, "sent": 150, "truncated": False}
    packed = client.get("/hel/index", headers={"Accept-Encoding": "gzip, deflate"})
    assert (packed.header("content-encoding"), gzip.decompress(packed.body)) == ("gzip", reply.body)
    assert packed.header("etag") != reply.header("etag")
    assert "Accept-Encoding" in packed.headers["vary"]


def test_the_index_continues_at_the_offset_after_the_largest_response(
    client: Client, fill_catalogue: Callable[[int], None]
) -> None:
    fill_catalogue(150)
    names: list[str] = []
    with settings.override(max_answer=120_000):
        while True:
            data = client.get("/hel/index", query={"offset": len(names)}).json["data"]
            names += [one["name"] for one in data["list"]]
            if not data["truncated"]:
                break
    assert names == [f"p{number}" for number in range(150)]


def test_nothing_is_compressed_without_accept_encoding(client: Client, create: Create) -> None:
    create()
    for path in ("/packages", "/packages/thing", "/hel/index"):
        assert client.get(path).header("content-encoding") is None


@pytest.mark.parametrize(
    ("base_url", "line"),
    [
        ("", 'hel.URL = "http://moonbase.test/"'),
        ("http://hel.example.org/api/", 'hel.URL = "http://hel.example.org/api/"'),
        ("https://hel.example.org/api/", 'hel.URL = "http://moonbase.test/api/"'),
        ('http://x"\\\n..os.exit()..é', 'hel.URL = "http://x\\034\\092\\010..os.exit()..\\195\\169/"'),
    ],
)
def test_the_module_file_configures_hpm_for_the_address_of_the_request(
    client: Client, base_url: str, line: str
) -> None:
    with settings.override(base_url=base_url):
        reply = client.get("/hel/module")
    lines = reply.body.decode().splitlines()
    assert (reply.status, lines[3]) == (200, line)
    assert lines[1] == "local mends = { search = true, install = true, files = true }"
    assert (reply.header("content-type"), reply.header("cache-control")) == ("text/plain; charset=utf-8", "no-store")


def test_mends_of_the_module_file_can_be_off(client: Client) -> None:
    reply = client.get("/hel/module", query={"without": "search,files"})
    assert "local mends = { search = false, install = true, files = false }\n" in reply.body.decode()
    reply = client.get("/hel/module", query={"without": "more"})
    message = "There is no mend more: there are search, install, files."
    assert (reply.status, reply.json) == (400, refusal(400, message))


def numbered(*numbers: str) -> dict[str, Any]:
    """Versions with these numbers and no files."""
    return {number: {"files": {}, "depends": {}} for number in numbers}


def depending(**ranges: str) -> dict[str, Any]:
    """One version with these dependencies."""
    depends = {name.replace("_", "-"): {"type": "optional", "version": text} for name, text in ranges.items()}
    return {"1.0.0": {"files": {}, "depends": depends, "changes": ""}}


@pytest.mark.parametrize(
    ("versions", "warnings"),
    [
        (depending(there="^1"), []),
        (depending(there=">=1.2,<3"), []),
        (depending(new="*"), ["new 1.0.0 has a cycle of dependencies, which hpm cannot install: new -> new."]),
        (depending(there="^3"), ["new 1.0.0 depends on there ^3, which none of its versions is."]),
        (depending(there=">1,<2"), ["new 1.0.0 depends on there >1,<2, which none of its versions is."]),
        (depending(missing="*"),
         ["new 1.0.0 depends on missing, which is not here: the installation will fail, even if it is optional."]),
        (depending(empty="*"), ["new 1.0.0 depends on empty, which has no version that hpm could install."]),
        (depending(there="^0.1"), ["new 1.0.0 depends on there ^0.1: hpm reads ^0.1 as every version below 1.0.0."]),
        (depending(there="^0"), []),
        (depending(there="1.0.0-rc.1"), []),
        (depending(there=">=1.0.0-rc.1"),
         ["new 1.0.0 depends on there >=1.0.0-rc.1: hpm ranks a pre-release above its release, also in >=1.0.0-rc.1."]),
        ({"1.0.0": {"files": {}, "depends": {}}, "1.0-rc.1+b-1": {"files": {}, "depends": {}}},
         ["hpm treats the pre-release 1.0.0-rc.1+b-1 as newer than its release."]),
        ({"1.0.0": {"files": {}, "depends": {}}, "1.0.0+b-1": {"files": {}, "depends": {}},
          "2.0.0-rc": {"files": {}, "depends": {}}}, []),
    ],
)  # fmt: skip
def test_an_author_gets_warnings_about_hpm(create: Create, versions: dict[str, Any], warnings: list[str]) -> None:
    create(package("there", versions=numbered("0.1", "1.0", "1.2", "2.0")))
    create(package("empty", versions={}))
    reply = create(package("new", versions=versions))
    assert (reply.status, reply.json.get("warnings", [])) == (201, warnings)
    assert reply.json["data"] == ""


@pytest.mark.parametrize(
    ("paths", "warnings"),
    [
        (["/bin/a", "/bin/b", "/bin/ab/c"], []),
        (["/bin/a", "bin/a", "/bin/b"], ["thing 1.0.0 installs 2 files at /bin/a: hpm refuses the second."]),
        (["/etc/hpm/module/x.lua"],
         ["thing 1.0.0 installs /etc/hpm/module/x.lua, which can make hpm use another server."]),
        (["/etc//hpm.cfg"], ["thing 1.0.0 installs /etc/hpm.cfg, which can make hpm use another server."]),
    ],
)  # fmt: skip
def test_an_author_gets_warnings_about_places(create: Create, paths: list[str], warnings: list[str]) -> None:
    files = {f"http://x.org/{number}": {"path": path} for number, path in enumerate(paths)}
    reply = create(package(versions={"1.0.0": {"files": files, "depends": {}}}))
    assert (reply.status, reply.json.get("warnings", [])) == (201, warnings)


def test_an_author_gets_a_warning_about_a_longer_cycle(client: Client, create: Create, session: dict[str, str]) -> None:
    create(package("a", owners=["alice"], versions=numbered("1.0")))
    create(package("b", versions=depending(a="*")))
    reply = client.request("PATCH", "/packages/a", headers=session, json={"versions": {"2.0": {
        "files": {}, "depends": {"b": {"type": "required", "version": "*"}}, "changes": ""}}})  # fmt: skip
    warning = "a 2.0.0 has a cycle of dependencies, which hpm cannot install: a -> b -> a."
    assert (reply.status, reply.headers["warning"]) == (204, [f'299 - "{warning}"'])


def test_an_author_gets_a_warning_about_a_diamond_without_a_common_choice(create: Create) -> None:
    create(package("base", versions=numbered("1.0", "1.5", "2.0")))
    create(package("left", versions=depending(base="*")))
    create(package("right", versions=depending(base="^1")))
    create(package("same", versions=depending(base=">=1")))
    assert "warnings" not in create(package("good", versions=depending(left="*", same="*"))).json
    assert create(package("bad", versions=depending(left="*", right="*"))).json["warnings"] == [
        "bad 1.0.0 needs base * for left and base ^1 for right: "
        "hpm installs one version, and does not look for one that is in both ranges."
    ]


def test_an_author_gets_a_warning_about_a_missing_stored_file(
    client: Client, create: Create, session: dict[str, str]
) -> None:
    stored = client.post("/hel/files", query="name=x.lua", body=b"return 1", headers=session).json["data"]["url"]
    missing = stored.replace("/Alice/", "/Bob/")
    files = {stored: {"path": "/x"}, missing: {"path": "/y"}}
    reply = create(package(versions={"1.0.0": {"files": files, "depends": {}}}))
    assert reply.json["warnings"] == [f"There is no stored file {missing}."]


def test_there_are_at_most_20_warnings(create: Create) -> None:
    reply = create(package(versions=depending(**{f"d{number:03}": "*" for number in range(100)})))
    warnings = reply.json["warnings"]
    assert (len(warnings), warnings[-1]) == (20, "... and 81 more.")


def test_a_long_warning_is_truncated(create: Create, session: dict[str, str], client: Client) -> None:
    versions = depending(**{"x" * 100: "*"})
    create(package("y" * 100, owners=["alice"], versions=versions))
    [warning] = client.request("PATCH", f"/packages/{'y' * 100}", headers=session, json={}).headers["warning"]
    assert len(warning) == len('299 - "..."') + 200


def test_two_thousand_versions_are_accepted_and_found(client: Client, create: Create) -> None:
    versions = {f"1.{number}": {"files": {}, "depends": {}} for number in range(2000)}
    assert create(package(versions=versions)).status == 201
    one = client.get("/packages", query={"file_name": "x"})
    assert one.status == 200
    assert len(json.loads(client.get("/packages/thing").body)["data"]["versions"]) == 2000


def test_a_slim_list_has_only_the_wanted_fields(client: Client, create: Create) -> None:
    for name in ("a", "b", "c"):
        create(package(name, description="x" * 8000))
    reply = client.get("/packages", query={"fields": "name,short_description", "limit": 2})
    short = "The short description."
    assert reply.json["data"] == {
        "offset": 0,
        "total": 3,
        "sent": 2,
        "truncated": True,
        "list": [{"name": name, "short_description": short} for name in ("a", "b")],
    }
    whole = client.get("/packages", query={"limit": 1}).json["data"]["list"]
    assert client.get("/packages", query={"limit": 1, "fields": ",".join(search.FIELDS)}).json["data"]["list"] == whole
    assert set(whole[0]) == set(search.FIELDS)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["name,nothing"], "A package has no field nothing."),
        ([""], "No values given for fields."),
        (["name", "tags"], "Too many values (1 expected, got 2)."),
    ],
)
def test_a_list_of_unknown_fields_is_rejected(client: Client, value: list[str], message: str) -> None:
    reply = client.get("/packages", query={"fields": value})
    assert (reply.status, reply.json) == (400, refusal(400, message))
