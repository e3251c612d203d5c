"""Modules for other programs: package URLs, dependents, statistics of dependencies, and texts out of source rocks."""

import hashlib
import io
import tarfile
from collections.abc import Callable

import pytest

from chalicelib.core import accompanying, fsck
from chalicelib.luarocks import index
from tests.client import Client
from tests.luarocks.builders import Upload, rockspec, zipped
from tests.worlds import both_worlds

README = b"# Say\n\nSays it.\n"
LICENSE = b"MIT License\n\nCopyright ...\n"


def depends(package: str, *dependencies: str, version: str = "1.0-1") -> bytes:
    """A rockspec with these dependencies."""
    listed = ", ".join(f'"{each}"' for each in dependencies)
    return rockspec(package, version).replace(b'{ "lua >= 5.1" }', f"{{ {listed} }}".encode())


@pytest.fixture
def published(upload: Upload, bob_key: str) -> None:
    upload(rockspec("say"))
    upload(rockspec("say", "2.0-1"))
    upload(rockspec("say", "9.0-1"), key=bob_key)


@pytest.mark.parametrize(
    ("purl", "user", "versions"),
    [
        ("pkg:luarocks/say", "alice", ["2.0-1", "1.0-1"]),
        ("pkg:luarocks/say@1.0-1", "alice", ["1.0-1"]),
        ("pkg:luarocks/Alice/Say@2.0-1?repository_url=http://moonbase.test", "alice", ["2.0-1"]),
        ("pkg:luarocks/bob/say@9.0-1#src/say.lua", "bob", ["9.0-1"]),
        ("PKG:LuaRocks/bob/s%61y", "bob", ["9.0-1"]),
        ("pkg://luarocks/bob/say", "bob", ["9.0-1"]),
    ],
)
def test_a_module_is_found_by_its_package_url(
    client: Client, published: None, purl: str, user: str, versions: list[str]
) -> None:
    for path in ("/api/1/modules", "/modules"):
        reply = client.get(path, query={"purl": purl})
        assert (reply.status, reply.json["module"]["user"]) == (200, user)
        assert [version["version_name"] for version in reply.json["versions"]] == versions


def test_the_package_urls_of_a_document_find_it(client: Client, published: None) -> None:
    document = client.get("/modules/bob/say").json
    for purl in (document["module"]["purl"], document["versions"][0]["purl"]):
        assert client.get("/api/1/modules", query={"purl": purl}).json == document


@pytest.mark.parametrize(
    ("purl", "status", "error"),
    [
        ("pkg:luarocks/nothing", 404, "There is no such module."),
        ("pkg:luarocks/nobody/say", 404, "There is no such module."),
        ("pkg:luarocks/say@9.0-1", 404, "There is no such version."),
        *(
            (purl, 400, "purl must be a package URL such as pkg:luarocks/USER/NAME@VERSION")
            for purl in ("say", "pkg:npm/say", "pkg:luarocks/", "pkg:luarocks/a/b/c", f"pkg:luarocks/{'x' * 1000}")
        ),
    ],
)
def test_other_package_urls_are_refused(client: Client, published: None, purl: str, status: int, error: str) -> None:
    reply = client.get("/api/1/modules", query={"purl": purl})
    assert (reply.status, reply.json) == (status, {"errors": [error]})


@pytest.fixture
def dependents(upload: Upload, bob_key: str) -> None:
    upload(depends("zeta", "lua >= 5.1", "Say >= 1.0"))
    upload(depends("zeta", "lua >= 5.1", version="2.0-1"))
    upload(depends("alpha", "lua >= 5.1", "say", "lpeg>=1.0"), key=bob_key)
    upload(depends("beta", "luasocket", "lpeg ~> 1"))


def test_dependents_are_listed_by_name_with_their_versions(client: Client, dependents: None, calls: list[str]) -> None:
    client.get("/api/1/modules/say/dependents")
    calls.clear()
    reply = client.get("/api/1/modules/SAY/dependents")
    assert len(calls) <= 1
    assert {**reply.json, "dependents": []} == {"dependents": [], "total": 2, "offset": 0, "limit": 20}
    found = [(each["user"], each["name"], each["versions"]) for each in reply.json["dependents"]]
    assert found == [
        ("bob", "alpha", [{"version_name": "1.0-1", "dependency": "say", "archived": False}]),
        ("alice", "zeta", [{"version_name": "1.0-1", "dependency": "Say >= 1.0", "archived": False}]),
    ]
    second = client.get("/api/1/modules/say/dependents", query={"offset": "1", "limit": "1"}).json
    assert [each["name"] for each in second["dependents"]] == ["zeta"]
    assert client.get("/api/1/modules/nothing/dependents").json["dependents"] == []
    assert client.get("/api/1/modules/say/dependents", query="offset=-1").status == 400


def test_a_dependent_changes_with_its_module(client: Client, key: str, dependents: None, upload: Upload) -> None:
    def names() -> list[str]:
        return [each["name"] for each in client.get("/api/1/modules/say/dependents").json["dependents"]]

    assert names() == ["alpha", "zeta"]
    upload(depends("zeta", "lua >= 5.1"))
    assert names() == ["alpha"]
    upload(depends("beta", "say"))
    client.request("PATCH", f"/api/1/{key}/modules/alice/beta", json={"archived": True})
    assert names() == ["alpha"]


def test_statistics_count_the_modules_that_depend_on_a_name(client: Client, dependents: None, upload: Upload) -> None:
    upload(rockspec("say"))
    reply = client.get("/api/1/dependencies", query="limit=4")
    assert reply.json == {
        "dependencies": [
            {"name": "lua", "dependents": 3, "in_root": False},
            {"name": "lpeg", "dependents": 2, "in_root": False},
            {"name": "say", "dependents": 2, "in_root": True},
            {"name": "luasocket", "dependents": 1, "in_root": False},
        ],
        "total": 4,
        "offset": 0,
        "limit": 4,
    }


def tar(method: str, files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{method}") as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


SOURCES = {
    "say-1.0/README.md": README,
    "say-1.0/LICENSE": LICENSE,
    "say-1.0/src/README": b"another",
    "say-1.0/x.lua": b"",
}
ARCHIVES: dict[str, Callable[[], dict[str, bytes]]] = {
    "tar.gz": lambda: {"say-1.0.tar.gz": tar("gz", SOURCES)},
    "tar.bz2": lambda: {"say-1.0.tar.bz2": tar("bz2", SOURCES)},
    "tar.xz": lambda: {"say-1.0.tar.xz": tar("xz", SOURCES)},
    "tar": lambda: {"say-1.0.tar": tar("", SOURCES)},
    "zip": lambda: {"say-1.0.zip": zipped(SOURCES)},
    "git": lambda: SOURCES,
    "top": lambda: {"README.md": README, "LICENSE": LICENSE, "say-1.0/README.md": b"another"},
}


def source_rock(files: dict[str, bytes]) -> bytes:
    return zipped({"say-1.0-1.rockspec": rockspec(), **files})


@pytest.mark.parametrize("kind", ARCHIVES)
def test_the_readme_and_the_licence_come_out_of_a_source_rock(
    client: Client, upload: Upload, upload_rock: Upload, kind: str
) -> None:
    upload()
    assert upload_rock(1, "say-1.0-1.src.rock", source_rock(ARCHIVES[kind]())).status == 200
    texts = client.get("/modules/alice/say").json["versions"][0]["texts"]
    path = "http://moonbase.test/modules/alice/say/1.0-1"
    assert texts == {"license": f"{path}/license", "readme": f"{path}/readme"}
    for url, name, content in ((f"{path}/readme", "README.md", README), (f"{path}/license", "LICENSE", LICENSE)):
        reply = client.get(url.removeprefix("http://moonbase.test"))
        expected = {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        assert (reply.status, reply.json) == (200, {**expected, "text": content.decode()})


@both_worlds
def test_texts_are_replaced_and_deleted_with_the_source_rock(
    client: Client, key: str, upload: Upload, upload_rock: Upload
) -> None:
    upload()
    upload_rock(1, "say-1.0-1.src.rock", source_rock(SOURCES))
    upload_rock(1, "say-1.0-1.all.rock", source_rock({"README": b"not of the sources"}))
    assert client.get("/modules/alice/say/1.0-1/readme").json["text"] == README.decode()
    upload_rock(1, "say-1.0-1.src.rock", source_rock({"readme.TXT": b"New."}))
    assert client.get("/modules/alice/say/1.0-1/readme").json["text"] == "New."
    assert client.get("/modules/alice/say/1.0-1/license").json == {"errors": ["The version has no such text."]}
    assert list(fsck.check(fsck.FsckScan(), lambda _: None)) == []
    rebuilt = {entry_key: entry.value for entry_key, entry in index.catalogue.snapshot().entries.items()}
    assert {entry_key: entry.value for entry_key, entry in index.catalogue.rebuild().entries.items()} == rebuilt
    client.request("DELETE", f"/api/1/{key}/modules/alice/say/versions/1.0-1/rocks/src")
    assert client.get("/modules/alice/say").json["versions"][0]["texts"] == {}


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"README": b"a", "README.md": b"b"}, "README"),
        ({"README.rst": b"a", "README.md": b"b"}, "README.md"),
        ({"a/README.md": b"a", "b/c/README": b"b"}, "README.md"),
        ({"readme.lua": b"a", "read.md": b"b", "myreadme": b"c"}, None),
        ({"a/b/c/README": b"too deep"}, None),
    ],
)
def test_the_best_file_of_a_kind_is_chosen(files: dict[str, bytes], name: str | None) -> None:
    found = accompanying.read(zipped(files)).get("readme")
    assert (found.name if found else None) == name


def test_a_hostile_archive_has_no_texts_or_short_ones() -> None:
    assert accompanying.read(b"PK\x03\x04 damaged") == {}
    long = accompanying.read(zipped({"README": b"x" * (accompanying.LONGEST + 5)}))["readme"]
    assert len(long.text) == accompanying.LONGEST
    binary = accompanying.read(zipped({"README": b"\xff\x00\xfeabc"}))["readme"]
    assert binary.text == "\ufffd\ufffdabc"
    bomb = zipped({"a.zip": zipped({"b/README": b"0" * 50_000_000})})
    assert len(accompanying.read(bomb)["readme"].text) == accompanying.LONGEST
    broken = tar("gz", {"a/README": README})[:-20]
    assert isinstance(accompanying.read(zipped({"a.tar.gz": broken})), dict)
