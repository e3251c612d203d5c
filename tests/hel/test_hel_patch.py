"""Changes of a package: merges, deletions by null, renames, every error, and races."""

import copy
import threading
from typing import Any

import orjson
import pytest
import time_machine

from chalicelib.core import audit, blobs
from chalicelib.core.errors import NotFound
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account
from chalicelib.hel import counts, index
from chalicelib.hel.tables import HelItem, Usage
from tests.client import Client, Reply
from tests.hel.builders import (
    LONGEST,
    MOST,
    Create,
    Limit,
    bulky,
    expected_package,
    list_packages,
    package,
    refusal,
    stored,
)
from tests.worlds import embedded_only

FILE1, FILE2, IMAGE = "http://example.com/file1", "http://example.com/file2", "http://example.com/image-1.png"


@pytest.fixture(autouse=True)
def clock() -> object:
    with time_machine.travel("2026-01-02T03:04:05Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def mine(create: Create) -> None:
    """The example package of Alice."""
    assert create(package(owners=["Alice"])).status == 201


@pytest.fixture
def change(client: Client, session: dict[str, str], mine: None) -> Any:
    """Changes that package as Alice."""

    def send(changes: object, name: str = "thing") -> Reply:
        return client.request("PATCH", f"/packages/{name}", headers=session, json=changes)

    return send


def whole(client: Client, name: str = "thing") -> dict[str, Any]:
    found: dict[str, Any] = client.get("/packages", query={"name": name}).json["data"]["list"][0]
    return found


def location(path: str) -> dict[str, str]:
    directory, _, name = path.rpartition("/")
    return {"dir": directory or "/", "name": name, "path": path}


def test_given_fields_are_replaced_and_others_are_kept(client: Client, change: Any) -> None:
    reply = change({"description": "New", "tags": [], "authors": ["B"], "license": "", "short_description": "é" * 150})
    assert (reply.status, reply.body, reply.header("content-type")) == (204, b"", None)
    expected = expected_package(
        owners=["Alice"], description="New", tags=[], authors=["B"], license="", short_description="é" * 140
    )
    assert whole(client) == expected
    assert client.get("/packages/thing").json["data"] == expected


def test_versions_files_and_dependencies_merge_deeply(client: Client, change: Any) -> None:
    change(
        {
            "versions": {
                "1.0": {
                    "files": {FILE1: {"path": "bin/x"}, "http://example.com#top": {"dir": "lib", "name": "y"}},
                    "depends": {"dependency-1": {"type": "optional"}, "new": {"type": "required", "version": "^1"}},
                },
                "2": {"files": {}, "depends": {}, "changes": "Second"},
            },
            "screenshots": {"http://example.com/2.png": "Two"},
        }
    )
    assert whole(client) == expected_package(
        owners=["Alice"],
        versions={
            "1.0.0": {
                "files": {
                    FILE1: location("/bin/x"),
                    FILE2: location("/usr/lib/libprogram.lua"),
                    "http://example.com/": {"dir": "/lib", "name": "y", "path": "/lib/y"},
                },
                "depends": {
                    "dependency-1": {"type": "optional", "version": ">2,<2.3.2"},
                    "new": {"type": "required", "version": "^1"},
                },
                "changes": "",
            },
            "2.0.0": {"files": {}, "depends": {}, "changes": "Second"},
        },
        screenshots={IMAGE: "Img", "http://example.com/2.png": "Two"},
    )


def test_changes_of_a_version_can_be_replaced_alone(client: Client, change: Any) -> None:
    change({"versions": {"1.0.0": {"changes": "Notes"}}})
    expected = expected_package(owners=["Alice"])
    expected["versions"]["1.0.0"]["changes"] = "Notes"
    assert whole(client) == expected


def test_null_deletes_at_every_level(client: Client, change: Any) -> None:
    change(
        {
            "versions": {"1.0.0": {"files": {FILE1: None}, "depends": {"dependency-1": None}}},
            "screenshots": {IMAGE: None},
        }
    )
    one = whole(client)
    assert one["versions"]["1.0.0"] == {
        "files": {FILE2: location("/usr/lib/libprogram.lua")},
        "depends": {},
        "changes": "",
    }
    assert one["screenshots"] == {}
    change({"versions": {"1": None}})
    assert whole(client)["versions"] == {}


def test_deleting_a_missing_part_is_no_error(client: Client, change: Any) -> None:
    nothing = {
        "versions": {"9.0.0": None, "1.0.0": {"files": {"http://x.org/": None}, "depends": {"x": None}}},
        "screenshots": {"http://x.org/": None},
    }
    assert change(nothing).status == 204
    assert whole(client) == expected_package(owners=["Alice"])


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"dir": "lib"}, {"dir": "/lib", "name": "program.lua", "path": "/lib/program.lua"}),
        ({"name": "x"}, {"dir": "/usr/bin", "name": "x", "path": "/usr/bin/x"}),
        ({"dir": "/", "name": "x"}, {"dir": "/", "name": "x", "path": "/x"}),
        ({"path": "/a//b/../c", "dir": "ignored", "name": "ignored"}, location("/a/c")),
        ({"path": "../../x"}, location("/x")),
        ({}, location("/usr/bin/program.lua")),
        ({"spam": 1}, location("/usr/bin/program.lua")),
    ],
)
def test_the_location_of_a_file_is_recomputed(
    client: Client, change: Any, file: dict[str, str], expected: dict[str, str]
) -> None:
    assert change({"versions": {"1.0.0": {"files": {FILE1: file}}}}).status == 204
    assert whole(client)["versions"]["1.0.0"]["files"][FILE1] == expected


def test_unknown_keys_and_stats_are_ignored(client: Client, change: Any) -> None:
    assert change({"spam": 1, "stats": {"views": 9}, "versions": {"1.0.0": {"spam": 1}}}).status == 204
    assert whole(client) == expected_package(owners=["Alice"])


def test_a_change_updates_the_date_and_keeps_the_views(client: Client, change: Any, clock: Any) -> None:
    for _ in range(2):
        client.get("/packages/thing")
    clock.move_to("2026-01-03T00:00:00Z")
    assert change({}).status == 204
    date = {"created": "2026-01-02 03:04:05", "last-updated": "2026-01-03 00:00:00"}
    stats = {"views": 2, "date": date, "downloads": 0}
    assert client.get("/packages/thing").json["data"] == expected_package(owners=["Alice"], stats=stats)


def test_former_owners_cannot_change_a_package(client: Client, change: Any) -> None:
    assert change({"owners": ["bob"]}).status == 204
    assert whole(client)["owners"] == ["bob"]
    assert change({"owners": ["Alice"]}).status == 403


def test_a_rename_keeps_the_order_views_and_dates(client: Client, create: Create, change: Any) -> None:
    create(package("later"))
    client.get("/packages/thing")
    assert change({"name": "renamed"}).status == 204
    assert list_packages(client) == ["renamed", "later"]
    assert client.get("/packages/thing").status == 404
    expected = expected_package("renamed", owners=["Alice"])
    expected["stats"]["views"] = 1
    assert client.get("/packages/renamed").json["data"] == expected
    assert [item.pk for item in stored()] == ["package#renamed", "package#later"]
    for again in (index.catalogue.rebuild, index.catalogue.drop_cache):
        again()
        assert list_packages(client) == ["renamed", "later"]


def test_an_old_name_can_be_used_again(create: Create, change: Any) -> None:
    change({"name": "renamed"})
    assert create().status == 201


@pytest.mark.parametrize("name", ["thing", "other"])
def test_a_name_in_use_is_a_conflict_even_the_packages_own(
    client: Client, create: Create, change: Any, name: str
) -> None:
    create(package("other"))
    reply = change({"name": name, "license": "MIT"})
    expected = refusal(409, "The name is already used by other package.", logged_in=True)
    assert (reply.status, reply.json) == (409, expected)
    assert whole(client) == expected_package(owners=["Alice"])


def test_a_name_that_is_only_in_the_table_is_a_conflict(create: Create, change: Any) -> None:
    create(package("other"))
    index.catalogue.publish(lambda snapshot, writes: ({"2": None}, None))
    assert change({"name": "other"}).status == 409
    assert [item.name for item in stored()] == ["thing", "other"]


def wrong(param: str, expected: str) -> str:
    return f'Wrong value for param "{param}" given: expected {expected}!'


def in_version(**fields: object) -> dict[str, Any]:
    return {"versions": {"1.0.0": fields}}


NEW = {"files": {}, "depends": {}, "changes": ""}
PARTIAL = "Version data you provided was partial."
LETTERS = "The name contains illegal characters. Allowed are: lowercase alphabetic characters, numbers and a dash (-)."
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(({field: value}, wrong(field, "str"))
      for field in ("name", "description", "license", "short_description") for value in (None, 5, [], {})),
    *(({field: value}, wrong(field, "list of strs"))
      for field in ("owners", "authors", "tags") for value in (None, "x", {}, [1], ["x", None])),
    *(({field: value}, wrong(field, "dict")) for field in ("versions", "screenshots") for value in (None, "x", [])),
    *((in_version(**{field: value}), wrong(field, "dict"))
      for field in ("files", "depends") for value in (None, 5, [])),
    *(({"versions": {"1.0.0": value}}, wrong("version_info", "dict")) for value in ("x", 5, [])),
    *((in_version(files={FILE1: value}), wrong("file_info", "dict")) for value in ("x", 5, [])),
    *((in_version(depends={"x": value}), wrong("dep_info", "dict")) for value in ("x", 5, [])),
    *((in_version(files={FILE1: {field: value}}), wrong(f"file_{field}", "str"))
      for field in ("path", "dir", "name", "sha256") for value in (None, 5)),
    *((in_version(depends={"dependency-1": {field: value}}), wrong(f"dep_{field}", "str"))
      for field in ("type", "version") for value in (None, 5)),
    *((in_version(changes=value), wrong("changes", "str")) for value in (None, 5)),
    ({"screenshots": {IMAGE: 5}}, wrong("screenshot_desc", "str")),
    *(({"versions": {"2.0.0": {k: v for k, v in NEW.items() if k != field}}}, PARTIAL) for field in NEW),
    *(({"versions": {"2.0.0": {**NEW, "files": {"http://x.org/": file}}}}, PARTIAL)
      for file in ({}, {"dir": "x"}, {"name": "x"})),
    *((in_version(files={"http://x.org/": file}), PARTIAL) for file in ({}, {"dir": "x"}, {"name": "x"})),
    *((in_version(depends={"x": dep}), PARTIAL) for dep in ({}, {"type": "optional"}, {"version": "1"})),
    (in_version(depends={"dependency-1": {"type": "needed"}}), "Unknown dependency type."),
    (in_version(depends={"dependency-1": {"version": "hi"}}), "Invalid requirement specification: 'hi'"),
    (in_version(depends={"dependency-1": {"version": "666.*"}}), "Invalid version string: '666.*'"),
    ({"versions": {"test": NEW}}, "Version string lacks a numerical component: 'test'"),
    ({"versions": {"test": None}}, "Version string lacks a numerical component: 'test'"),
    ({"versions": {"1": {}, "1.0": {}}}, "Bad value '1.0.0' is there twice in the data you provided."),
    *((in_version(files={url: {"path": "/x"}}), "Invalid URI given.")
      for url in ("ftp://x.org/", "HTTP://x.org/", "/x", "", "http://", "javascript:x", "http://x y/")),
    ({"screenshots": {"data:x": "x"}}, "Invalid URI given."),
    *((in_version(files={FILE1: file}), "Bad path given.")
      for file in ({"path": ""}, {"path": "/usr/"}, {"path": "/"}, {"path": ".."}, {"name": "a/b"}, {"name": ".."},
                   {"name": ""}, {"path": "/a\nb"}, {"path": "/a\x00"})),
    ({"owners": []}, "The list of owners is expected not to be empty."),
    ({"owners": ["a b"]}, "The nickname contains illegal characters."),
    ({"owners": ["x"] * 101}, "There are more than 100 owners."),
    *(({"name": name}, LETTERS) for name in ("", "Thing", "a_b", "a b", "é", "thing\n", "a/b")),
    ({"name": "x" * 101}, "The name is longer than 100 characters."),
    (in_version(files={FILE1: {"sha256": "x"}}), "A sha256 has 64 hexadecimal digits in lower case."),
]  # fmt: skip


def test_a_rejected_change_is_an_error_and_changes_nothing(client: Client, change: Any) -> None:
    for changes, message in REFUSED:
        reply = change({"description": "half of a change", **copy.deepcopy(changes)})
        assert (reply.status, reply.json) == (400, refusal(400, message, logged_in=True)), changes
    assert whole(client) == expected_package(owners=["Alice"])
    assert [orjson.loads(item.document)["description"] for item in stored()] == [expected_package()["description"]]


@pytest.mark.parametrize("limit", LONGEST, ids=lambda limit: limit[0])
def test_changed_texts_have_a_length(change: Any, limit: Limit) -> None:
    field, longest, of_length = limit
    reply = change(of_length(longest + 1))
    assert (reply.status, reply.json["message"]) == (400, f"A value of {field} is longer than {longest} characters.")
    assert change(of_length(longest)).status == 204


@pytest.mark.parametrize("limit", MOST, ids=lambda limit: limit[0])
def test_changed_lists_have_a_length(change: Any, limit: Limit) -> None:
    field, most, of_length = limit
    reply = change({"screenshots": {IMAGE: None}, **of_length(most + 1)})
    assert (reply.status, reply.json["message"]) == (400, f"There are more than {most} {field}.")
    assert change({"screenshots": {IMAGE: None}}).status == 204
    assert change(of_length(most)).status == 204


@pytest.mark.parametrize("body", [b"", b"{", b"5", b"null", b"[]", b'"x"', b'{"a": NaN}', b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_a_bad_request(
    client: Client, session: dict[str, str], mine: None, body: bytes
) -> None:
    reply = client.request("PATCH", "/packages/thing", headers=session, body=body)
    assert (reply.status, reply.json) == (400, refusal(400, "Bad request.", logged_in=True))


def test_warnings_are_in_headers(client: Client, change: Any) -> None:
    reply = change({"versions": {"1.0.0": {"depends": {"é\r\nX: y": {"type": "optional", "version": "^0.1"}}}}})
    assert reply.status == 204
    assert reply.headers["warning"] == [
        '299 - "thing 1.0.0 depends on dependency-1, which is not here: '
        'the installation will fail, even if it is optional."',
        '299 - "thing 1.0.0 depends on ???X: y, which is not here: '
        'the installation will fail, even if it is optional."',
        '299 - "thing 1.0.0 depends on ???X: y ^0.1: hpm reads ^0.1 as every version below 1.0.0."',
    ]


def test_a_change_is_audited(alice: Account, change: Any) -> None:
    change({})
    [entry] = [entry for entry in audit.entries(int(alice.id)) if entry.action == "package.update"]
    assert (entry.subject, entry.credential_id) == ("package#thing", 1)


def test_a_package_moves_into_a_blob_and_back(client: Client, change: Any) -> None:
    change({"versions": {"1.0.0": None}})
    change({"versions": bulky(100_000)})
    [large] = stored()
    assert large.document is None
    assert orjson.loads(blobs.get(large.blob))["versions"] == bulky(100_000)
    index.catalogue.rebuild()
    assert whole(client) == expected_package(owners=["Alice"], versions=bulky(100_000))
    change({"description": "other"})
    with pytest.raises(NotFound):
        blobs.get(large.blob)
    change({"versions": dict.fromkeys(bulky(100_000))})
    [small] = stored()
    assert (orjson.loads(small.document)["versions"], small.blob) == ({}, None)


def test_a_large_package_can_be_renamed(client: Client, change: Any) -> None:
    change({"versions": {"1.0.0": None}})
    change({"versions": bulky(100_000)})
    change({"name": "renamed"})
    index.catalogue.rebuild()
    assert client.get("/packages/renamed").json["data"] == expected_package(
        "renamed", owners=["Alice"], versions=bulky(100_000)
    )


def test_the_size_limit_applies_to_the_merged_document(client: Client, change: Any) -> None:
    assert change({"versions": {"1.0.0": None}}).status == 204
    assert change({"versions": bulky(600_000)}).status == 204
    reply = change({"versions": {number.replace("1.", "2.", 1): one for number, one in bulky(600_000).items()}})
    assert (reply.status, reply.json["message"]) == (413, "The package is larger than 1048576 bytes.")
    assert whole(client)["versions"] == bulky(600_000)


def test_the_usage_is_the_size_of_the_document(change: Any) -> None:
    change({"description": "x" * 5000})
    change({"name": "renamed"})
    [item] = stored()
    [usage] = [one for one in HelItem.scan() if isinstance(one, Usage)]
    assert (int(usage.packages), int(usage.package_bytes)) == (1, int(item.size))


@embedded_only
def test_concurrent_changes_by_two_owners_are_all_kept(
    client: Client, alice: Account, bob: Account, create: Create
) -> None:
    create(package(owners=["alice", "bob"], versions={}))
    sessions = [
        {"Cookie": "auth_tkt=" + credentials.create(account, credentials.SESSION)[1]} for account in (alice, bob)
    ]
    statuses: list[int] = []

    def publish(who: int) -> None:
        for number in range(5):
            new = {"versions": {f"{who}.{number}.0": NEW}}
            reply = client.request("PATCH", "/packages/thing", headers=sessions[who], json=new)
            statuses.append(reply.status)

    threads = [threading.Thread(target=publish, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [204] * 10
    assert sorted(whole(client)["versions"]) == sorted(f"{who}.{number}.0" for who in (0, 1) for number in range(5))
    index.catalogue.rebuild()
    assert len(whole(client)["versions"]) == 10


@embedded_only
def test_views_during_concurrent_changes_are_counted(client: Client, change: Any) -> None:
    viewers = [threading.Thread(target=lambda: client.get("/packages/thing")) for _ in range(8)]
    for viewer in viewers:
        viewer.start()
    for number in range(4):
        change({"license": str(number)})
    for viewer in viewers:
        viewer.join()
    assert dict(counts.totals()) == {"package#1": 8}


@embedded_only
def test_one_of_two_concurrent_renames_to_a_name_succeeds(
    client: Client, session: dict[str, str], create: Create
) -> None:
    for name in ("a", "b"):
        create(package(name, owners=["alice"]))
    statuses: list[int] = []

    def rename(name: str) -> None:
        reply = client.request("PATCH", f"/packages/{name}", headers=session, json={"name": "c"})
        statuses.append(reply.status)

    threads = [threading.Thread(target=rename, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, 409]
    assert len(stored()) == len(list_packages(client)) == 2


@pytest.mark.parametrize("changes", [{"license": "MIT"}, {"name": "other"}, {"versions": {"1.0.0": {"changes": "x"}}}])
def test_attributes_of_newer_code_are_kept(create: Create, change: Any, changes: dict[str, Any]) -> None:
    (item,) = stored()
    document = orjson.loads(item.document)
    document["homepage"] = "https://example.org"
    document["versions"]["1.0.0"]["yanked"] = True
    item.update([type(item).document.set(orjson.dumps(document).decode())])
    assert change(changes).status == 204
    (item,) = stored()
    document = orjson.loads(item.document)
    assert (document["homepage"], document["versions"]["1.0.0"]["yanked"]) == ("https://example.org", True)
