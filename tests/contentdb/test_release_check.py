"""The check of a release: its effect on the package, its errors, and the clean-up after a failure."""

import hashlib
import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from chalicelib import settings
from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.releases import archive
from chalicelib.contentdb.releases import check as release_check
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.core import aws as services
from chalicelib.core import job_runner
from chalicelib.core.errors import Busy
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import change, draft, published, token
from tests.contentdb.files import MOD, checked, pending_checks, released, upload, zipped
from tests.contentdb.test_package_fields import VALUES
from tests.worlds import embedded_only

Check = Callable[..., str]


@pytest.fixture
def error(client: Client, bearer: dict[str, str]) -> Check:
    """A function that creates a draft, checks a zip and returns the error; a failed check must change nothing else."""

    def check(content: bytes, *, kind: str = "MOD", name: str = "mymod", approved: bool = False) -> str:
        draft(f"Alice/{name}", type=kind)
        if approved:
            change(f"Alice/{name}", state="APPROVED")
        before = entry(f"Alice/{name}")
        task = checked(client, upload(client, f"Alice/{name}", bearer, content, title="1"))
        (made,) = client.get(f"/api/packages/Alice/{name}/releases/").json
        assert (task["status"], made["url"], made["size"]) == ("FAILURE", None, 0)
        assert entry(f"Alice/{name}") == before
        assert stored_blobs() == []
        return str(task["error"])

    return check


def entry(key: str) -> PackageEntry:
    found = index.find(index.catalogue.snapshot(), key)
    assert found is not None
    return found.value


def stored_blobs() -> list[str]:
    """Return the keys of ContentDB's blobs except snapshots, sorted."""
    location = settings.current().blobs
    if location.startswith("s3://"):
        listed = services.client("s3").list_objects_v2(Bucket=location.removeprefix("s3://"))
        keys = [found["Key"] for found in listed.get("Contents", ())]
    else:
        root = Path(location.removeprefix("file:"))
        keys = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return sorted(key for key in keys if key.startswith("contentdb/"))


def bomb(size: int) -> bytes:
    """Return a small zip that unpacks to `size` zero bytes."""
    written = BytesIO()
    with ZipFile(written, "w", ZIP_DEFLATED, compresslevel=9) as zipfile, zipfile.open("init.lua", "w") as file:
        for _ in range(size // (1 << 20)):
            file.write(bytes(1 << 20))
    return written.getvalue()


def entry_zip(name: str, *, mode: int = 0o100644, content: bytes = b"") -> bytes:
    written = BytesIO()
    with ZipFile(written, "w") as zipfile:
        info = ZipInfo(name)
        info.external_attr = mode << 16
        zipfile.writestr(info, content)
    return written.getvalue()


def test_the_conf_of_a_mod_sets_what_it_provides_its_dependencies_and_versions(
    client: Client, bearer: dict[str, str]
) -> None:
    draft("Alice/mymod")
    published("Alice/farming")
    conf = "name = mymod\ndepends = farming\noptional_depends = dye, farming\nmin_minetest_version = 5.3\n"
    released(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": conf + "max_minetest_version = 5.8.1\n"}))
    value = entry("Alice/mymod")
    assert (value.provides, value.depends, value.optional_depends) == (("mymod",), ("farming",), ("dye",))
    (made,) = client.get("/api/packages/Alice/mymod/releases/").json
    assert made["min_minetest_version"] == {"name": "5.3", "is_dev": False, "protocol_version": 39}
    assert made["max_minetest_version"]["name"] == "5.8"


def test_an_unknown_engine_version_is_ignored(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    conf = "name = mymod\nmin_minetest_version = 99.9\n"
    released(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": conf}))
    assert client.get("/api/packages/Alice/mymod/releases/1").json["min_minetest_version"] is None


def test_a_modpack_provides_its_mods(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/pack")
    mods = {
        "modpack.conf": "name = pack",
        "LICENSE": "",
        "one/init.lua": "",
        "two/init.lua": "",
        "two/mod.conf": "name = second\ndepends = one",
        "more/modpack.txt": "",
        "more/three/init.lua": "",
        ".git/config": "",
    }
    released(client, "Alice/pack", bearer, zipped(mods, "pack-master"))
    assert list(entry("Alice/pack").provides) == ["one", "second", "three"]
    assert list(entry("Alice/pack").depends) == []


def test_a_game_provides_its_mods_and_a_texture_pack_nothing(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mygame", type="GAME")
    game = {"game.conf": "title = My Game", "LICENSE": "", "mods/a/init.lua": "", "mods/a/mod.conf": "depends = b"}
    released(client, "Alice/mygame", bearer, zipped({**game, "mods/b/init.lua": ""}))
    assert list(entry("Alice/mygame").provides) == ["a", "b"]
    draft("Alice/pixels", type="TXP")
    released(client, "Alice/pixels", bearer, zipped({"default_dirt.png": b"png", "LICENSE": ""}))
    assert list(entry("Alice/pixels").provides) == []


def test_the_folders_of_a_texture_pack_can_have_capitals(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/pixels", type="TXP")
    number = released(
        client, "Alice/pixels", bearer, zipped({"Textures/dirt.png": b"", "Sounds/a.ogg": b"", "LICENSE": ""})
    )
    assert client.get(f"/api/packages/Alice/pixels/releases/{number}/").json["state"] == "APPROVED"


def test_comments_and_blanks_in_depends_txt_are_ignored(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/farming")
    published("Alice/mymod")
    old = {"init.lua": "", "depends.txt": "# needs:\n\nfarming # food\ndye? # colours\n  wool ? \r\n"}
    released(client, "Alice/mymod", bearer, zipped(old))
    value = entry("Alice/mymod")
    assert (value.depends, value.optional_depends) == (("farming",), ("dye", "wool"))


def test_only_the_newest_release_changes_the_package(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    older = upload(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": "name = mymod\noptional_depends = old"}))
    newer = upload(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": "name = mymod\noptional_depends = new"}))
    for job in sorted(pending_checks(), key=lambda job: -job.payload["release"]):
        release_check.check(job.payload)
    assert [client.get(reply.json["task"]).json["status"] for reply in (older, newer)] == ["SUCCESS", "SUCCESS"]
    assert list(entry("Alice/mymod").optional_depends) == ["new"]


def test_a_repeated_check_changes_nothing(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    upload(client, "Alice/mymod", bearer, zipped(MOD))
    (job,) = pending_checks()
    release_check.check(job.payload)
    first = client.get("/api/packages/Alice/mymod/releases/1").json
    release_check.check(job.payload)
    assert client.get("/api/packages/Alice/mymod/releases/1").json == first


def test_a_release_that_is_deleted_before_its_check_leaves_no_blob(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    upload(client, "Alice/mymod", bearer, zipped(MOD))
    assert client.request("DELETE", "/api/packages/Alice/mymod/releases/1/", headers=bearer).status == 200
    job_runner.run_due()
    assert (pending_checks(), stored_blobs()) == ([], [])


def test_a_check_is_retried_when_the_database_is_busy(
    client: Client, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draft("Alice/mymod")
    reply = upload(client, "Alice/mymod", bearer, zipped(MOD))

    def busy(*_: object) -> None:
        raise Busy("The database is busy.", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(index, "publish", busy)
        (job,) = pending_checks()
        with pytest.raises(Busy):
            release_check.check(job.payload)
    assert client.get(reply.json["task"]).json["status"] == "STARTED"
    assert checked(client, reply)["status"] == "SUCCESS"


def test_an_internal_error_fails_the_release(
    client: Client, bearer: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    draft("Alice/mymod")
    reply = upload(client, "Alice/mymod", bearer, zipped(MOD))
    monkeypatch.setattr(archive, "open_zip", lambda content: 1 / 0)
    assert checked(client, reply) == {
        "id": reply.json["task"][7:-1],
        "status": "FAILURE",
        "error": "Unknown server error",
    }
    assert "ZeroDivisionError" in caplog.text


def test_the_languages_of_a_package_come_from_its_translations(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    files = {
        **MOD,
        "mod.conf": "name = mymod\ntitle = My Mod\ndescription = Adds = things",
        "locale/mymod.de.tr": "# textdomain: mymod\nMy Mod=Mein Mod\nAdds @= things=Mehr @= Dinge\n",
        "locale/mymod.pt_BR.tr": "# textdomain: mymod\nother=outro\n",
        "locale/template.txt": "# textdomain: mymod\n",
    }
    released(client, "Alice/mymod", bearer, zipped(files))
    assert entry("Alice/mymod").translations == {
        "de": {"title": "Mein Mod", "short_description": "Mehr = Dinge"},
        "pt_BR": {},
    }


@pytest.mark.parametrize(
    ("conf", "path", "domain"),
    [
        ("name = mymod", "locale/mymod.de.tr", "mymod"),
        ("name = mymod", "src/locale/mymod.pt_BR.tr", "mymod"),
        ("name = mymod\ntextdomain = words", "locale/words.de.tr", "words"),
    ],
)
def test_an_error_in_a_package_s_own_translations_fails_its_release(
    error: Check, conf: str, path: str, domain: str
) -> None:
    files = {**MOD, "mod.conf": conf, path: f"# textdomain: {domain}\n@2=@1\n"}
    assert error(zipped(files)).startswith(
        f"Syntax error whilst reading /{path}: Line 2: Arguments out of order in source, found @2 and expected @1."
    )


def test_the_own_text_domain_of_a_game_is_the_name_of_its_package(error: Check) -> None:
    files = {"game.conf": "name = My Game", "LICENSE": "", "mods/a/init.lua": "", "locale/mygame.de.tr": "a=b"}
    assert error(zipped(files), kind="GAME", name="mygame") == (
        "Syntax error whilst reading /locale/mygame.de.tr: Missing `# textdomain: mygame` at the top of the file"
    )


def test_errors_in_translations_of_others_are_warnings(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    files = {
        **MOD,
        "mod.conf": "name = mymod\ntextdomain = words",
        "locale/mymod.de.tr": "# textdomain: mymod\nHello\n",
        "lib/locale/other.fr.tr": b"\xff\xfe",
        "locale/words.en.tr": "a@xb=c",
        "locale/words.qq.tr": "no language of ContentDB",
        ".git/locale/words.de.tr": "hidden",
    }
    released(client, "Alice/mymod", bearer, zipped(files))
    (made,) = client.get("/api/packages/Alice/mymod/releases/").json
    assert (made["state"], made["error"], made["warnings"]) == (
        "APPROVED",
        None,
        [
            "lib/locale/other.fr.tr is not UTF-8 text",
            "Syntax error whilst reading /locale/mymod.de.tr: Line 2: Missing = in line",
            "Syntax error whilst reading /locale/words.en.tr: Missing `# textdomain: words` at the top of the file",
        ],
    )
    assert entry("Alice/mymod").translations == {"de": {}, "en": {}, "fr": {}}


def test_many_warnings_are_counted(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    broken = {f"locale/mod{number:04}.de.tr": "x" for number in range(2000)}
    released(client, "Alice/mymod", bearer, zipped({**MOD, **broken}))
    (made,) = client.get("/api/packages/Alice/mymod/releases/").json
    assert (len(made["warnings"]), made["warnings"][-1]) == (21, "There are 1,980 more warnings")


def test_cdb_json_edits_the_package(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    cdb = '{"$schema": "https://x", "title": "From the zip", "license": "isc", "tags": ["building"]}'
    released(client, "Alice/mymod", bearer, zipped({**MOD, ".cdb.json": cdb}))
    value = entry("Alice/mymod")
    assert (value.title, value.license, value.tags) == ("From the zip", "ISC", ("building",))


def test_cdb_json_sets_every_field_of_its_schema(client: Client, bearer: dict[str, str], bob: Account) -> None:
    published("bob/sea", type="GAME")
    draft("Alice/mymod")
    fields = {**VALUES, "name": "mymod", "type": "MOD"}
    assert set(fields) == set(client.get("/api/cdb_schema/").json["properties"])
    released(client, "Alice/mymod", bearer, zipped({**MOD, ".cdb.json": json.dumps(fields)}))
    shown = client.get("/api/packages/Alice/mymod/").json
    shown["game_support"] = [
        {"game": f"{row['game']['author']}/{row['game']['name']}", "supports": row["supports"]}
        for row in shown["game_support"]
    ]
    shown["type"] = shown["type"].upper()
    assert {name: shown[name] for name in fields} == fields


def test_the_type_in_cdb_json_must_fit_the_content(error: Check) -> None:
    message = "Whilst applying .cdb.json: Expected a game, found mod"
    assert error(zipped({**MOD, ".cdb.json": '{"type": "GAME"}'})) == message


def test_po_files_translate_the_title_and_the_description(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    files = {
        **MOD,
        "mod.conf": "name = mymod\ntitle = My Mod\ndescription = Adds things\n",
        "locale/mymod.de.po": 'msgid "My Mod"\nmsgstr "Mein Mod"\n\nmsgid "Adds things"\nmsgstr "Mehr"\n',
        "locale/mymod.fr.po": "broken",
        "locale/other.it.po": 'msgid "My Mod"\nmsgstr "Di un altro"\n',
    }
    released(client, "Alice/mymod", bearer, zipped(files))
    assert entry("Alice/mymod").translations == {
        "de": {"title": "Mein Mod", "short_description": "Mehr"},
        "fr": {},
        "it": {},
    }
    (made,) = client.get("/api/packages/Alice/mymod/releases/").json
    assert made["warnings"] == [
        "Syntax error whilst reading /locale/mymod.fr.po: Line 1: Expected msgctxt, msgid or msgstr with a string"
    ]


def test_cdb_json_can_rename_a_draft(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    reply = upload(client, "Alice/mymod", bearer, zipped({**MOD, ".cdb.json": '{"name": "yourmod"}'}))
    assert checked(client, reply)["status"] == "SUCCESS"
    assert client.get("/api/packages/Alice/yourmod/").json["title"] == "Mymod"
    assert client.get("/api/packages/Alice/mymod/").status == 404


def many(number: int) -> str:
    """The names of some mods, as in mod.conf."""
    return ", ".join(f"a{each}" for each in range(number))


@pytest.mark.parametrize(
    ("cdb", "message"),
    [
        ("{", "Whilst applying .cdb.json: "),
        ("[]", "Whilst applying .cdb.json: Expected a JSON object"),
        ('{"license": "My own"}', "Whilst applying .cdb.json: Unknown license My own"),
        ('{"title": null}', "Whilst applying .cdb.json: title must not be null"),
        ('{"colour": "red"}', "Whilst applying .cdb.json: colour is not a known field"),
    ],
)
def test_an_invalid_cdb_json_fails_the_release(error: Check, cdb: str, message: str) -> None:
    assert error(zipped({**MOD, ".cdb.json": cdb})).startswith(message)


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        ("MOD", {"game.conf": "", "mods/a/init.lua": ""}, "Expected a mod or modpack, found game"),
        ("MOD", {"texture_pack.conf": ""}, "Expected a mod or modpack, found texture pack"),
        ("MOD", {"readme.md": ""}, "Expected a mod or modpack, found unknown"),
        ("GAME", {"init.lua": ""}, "Expected a game, found mod"),
        ("TXP", {"modpack.conf": ""}, "Expected a texture pack, found modpack"),
        ("MOD", {"init.lua": ""}, "Please provide a license file"),
        (
            "MOD",
            {**MOD, "mod.conf": "name = other"},
            "Expected the mod to be called mymod, as the package is, but mod.conf says name = other.",
        ),
        ("MOD", {**MOD, "mod.conf": "name = mymod\nrelease = 3"}, "mod.conf must not have `release`"),
        ("MOD", {**MOD, "mod.conf": "name = a\nname = b"}, "mod.conf line 2: duplicate key name"),
        ("MOD", {**MOD, "mod.conf": "name"}, "mod.conf line 1: expected `key = value`"),
        ("MOD", {**MOD, "mod.conf": 'description = """a\nb'}, "mod.conf line 1: the triple quotes are never closed"),
        ("MOD", {**MOD, "mod.conf": b"\xff\xfe"}, "mod.conf is not UTF-8 text"),
        ("MOD", {**MOD, "mod.conf": "depends = De-fault"}, "Invalid dependency name 'De-fault' for mod at /"),
        ("MOD", {**MOD, "mod.conf": "supported_games = a b"}, "Invalid game name 'a b' in supported_games"),
        ("MOD", {**MOD, "mod.conf": f"depends = {'d' * 101}"}, "Invalid dependency name 'ddd"),
        ("MOD", {**MOD, "mod.conf": f"supported_games = {'g' * 151}"}, "Invalid game name 'ggg"),
        ("MOD", {**MOD, "mod.conf": f"depends = {many(1001)}"}, "The content has more than 1,000 depends"),
        (
            "MOD",
            {**MOD, "mod.conf": f"optional_depends = {many(1001)}"},
            "The content has more than 1,000 optional_depends",
        ),
        (
            "MOD",
            {"modpack.conf": "", "LICENSE": "", **{f"m{number}/init.lua": "" for number in range(1001)}},
            "The content has more than 1,000 mods",
        ),
        ("MOD", {**MOD, "depends.txt": "default"}, "depends.txt is out of date: move its content to mod.conf"),
        ("MOD", {**MOD, "description.txt": "Hi"}, "description.txt is out of date"),
        ("MOD", {**MOD, "Textures/a.png": ""}, "Incorrect case, Textures should be textures"),
        (
            "MOD",
            {"modpack.conf": "", "LICENSE": "", "a/readme": ""},
            "Expected a mod or modpack, found unknown at a",
        ),
        (
            "MOD",
            {"modpack.conf": "", "LICENSE": "", "a/init.lua": "", "b/init.lua": "", "b/mod.conf": "name = a"},
            "There are two mods called a",
        ),
        (
            "MOD",
            {"modpack.conf": "", "LICENSE": "", "core/init.lua": "", "x": ""},
            "Forbidden mod name 'core' at core",
        ),
        (
            "MOD",
            {"modpack.conf": "", "LICENSE": "", "Big-Mod/init.lua": "", "x": ""},
            "Invalid mod name 'Big-Mod' at Big-Mod",
        ),
        ("GAME", {"game.conf": "", "LICENSE": ""}, "A game needs a mods folder"),
        (
            "GAME",
            {"game.conf": "", "LICENSE": "", "mods/a/init.lua": "", "mods/a/mod.conf": "depends = z, y"},
            "Game has unresolved hard dependencies: y, z",
        ),
    ],
)
def test_invalid_content_fails_the_release(error: Check, kind: str, files: Any, message: str) -> None:
    assert error(zipped(files), kind=kind).startswith(message)


def test_a_release_can_have_names_of_the_maximum_length_and_many_dependencies(
    client: Client, bearer: dict[str, str]
) -> None:
    draft("Alice/mymod")
    conf = f"optional_depends = {'d' * 100}, {many(999)}\nsupported_games = {'g' * 150}"
    released(client, "Alice/mymod", bearer, zipped({**MOD, "mod.conf": conf}))
    assert len(entry("Alice/mymod").optional_depends) == 1000


def test_an_approved_package_can_have_depends_txt(client: Client, bearer: dict[str, str]) -> None:
    published("Alice/default")
    published("Alice/mymod")
    files = {"init.lua": "", "depends.txt": "default\ndye?\n", "description.txt": "Old."}
    released(client, "Alice/mymod", bearer, zipped(files))
    assert (list(entry("Alice/mymod").depends), list(entry("Alice/mymod").optional_depends)) == (["default"], ["dye"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK", "This is not a zip file."),
        (b"<html>no zip</html>" * 100, "This is not a zip file."),
        (zipped({}), "The zip file is empty."),
        (zipped(MOD)[:-30], "This is not a zip file."),
        (entry_zip("init.lua", content=b"-- one").replace(b"-- one", b"-- two"), "The zip file is corrupt."),
        (entry_zip("../init.lua"), "The zip file has an unsafe path: ../init.lua"),
        (entry_zip("a/../../init.lua"), "The zip file has an unsafe path: a/../../init.lua"),
        (entry_zip("/etc/init.lua"), "The zip file has an unsafe path: /etc/init.lua"),
        (entry_zip("C:/init.lua"), "The zip file has an unsafe path: C:/init.lua"),
        (entry_zip("..\\init.lua"), "The zip file has an unsafe path: ..\\\\init.lua"),
        (entry_zip("init\n.lua"), "The zip file has an unsafe path: init\\n.lua"),
        (entry_zip("a/" * 40 + "init.lua"), "The zip file has an unsafe path: a/a/"),
        (entry_zip("x" * 1001), "The zip file has an unsafe path: xxx"),
        (entry_zip("link", mode=0o120777, content=b"/etc/passwd"), "The zip file has something that is neither a file"),
        (entry_zip("pipe", mode=0o010644), "The zip file has something that is neither a file nor a folder: pipe"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value)[:40],
)
def test_a_corrupt_or_unsafe_zip_fails_the_release(error: Check, content: bytes, message: str) -> None:
    assert error(content).startswith(message)


@embedded_only
def test_a_zip_bomb_is_rejected_before_it_is_unpacked(error: Check) -> None:
    content = bomb(archive.LARGEST + (1 << 20))
    assert len(content) < 1 << 20
    assert error(content) == "The zip file is larger than 300 MiB when unpacked."


@embedded_only
def test_a_zip_with_a_wrong_size_in_its_directory_is_rejected(error: Check) -> None:
    content = bomb(2 << 20)
    real, claimed = struct.pack("<I", 2 << 20), struct.pack("<I", 100)
    assert error(content.replace(real, claimed)) == "The zip file is corrupt."


@embedded_only
def test_a_zip_with_a_huge_directory_is_rejected_before_it_is_read(error: Check) -> None:
    names = {f"{number:05d}{'x' * 200}": b"" for number in range(35_000)}
    assert error(zipped(names)) == "The zip file has more than 50,000 files."


def test_other_compression_methods_and_encryption_are_rejected(error: Check) -> None:
    written = BytesIO()
    with ZipFile(written, "w", ZIP_BZIP2) as zipfile:
        zipfile.writestr("init.lua", b"x" * 100)
    assert error(written.getvalue()) == "The zip file has a compression that Luanti cannot unpack: init.lua"
    locked = bytearray(zipped(MOD))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert error(bytes(locked), name="locked") == "The zip file is encrypted: init.lua"


def test_a_zip_with_a_duplicate_path_is_rejected(error: Check) -> None:
    content = zipped({"init.lua": "", "inix.lua": "", "LICENSE": ""}).replace(b"inix", b"init")
    assert error(content) == "The zip file has a path twice: init.lua"


def test_a_zip_with_a_file_in_a_file_is_rejected(error: Check) -> None:
    assert error(zipped({**MOD, "init.lua/x": ""})) == "The zip file has a path twice: init.lua/x"


@embedded_only
def test_a_zip_with_many_folders_is_rejected(error: Check) -> None:
    content = zipped({f"{number}/{'a/' * 31}": "" for number in range(1600)})
    assert error(content) == "The zip file has more than 50,000 folders."


def test_a_failed_release_is_listed_and_does_not_affect_others(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    good = released(client, "Alice/mymod", bearer, zipped(MOD))
    checked(client, upload(client, "Alice/mymod", bearer, b"no zip", title="Broken"))
    listed = client.get("/api/packages/Alice/mymod/releases/").json
    assert [(made["id"], made["url"] is None, made["state"], made["error"]) for made in listed] == [
        (good + 1, True, "FAILED", "This is not a zip file."),
        (good, False, "APPROVED", None),
    ]
    assert client.get(listed[0]["task"]).json["error"] == listed[0]["error"]
    assert client.get("/api/packages/Alice/mymod/").json["release"] == good
    assert client.get("/packages/Alice/mymod/download/").status == 302
    assert client.get(f"/packages/Alice/mymod/releases/{good + 1}/download/").status == 404


def test_two_releases_with_the_same_bytes_have_separate_blobs(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    content = zipped(MOD)
    for title in ("1", "2"):
        released(client, "Alice/mymod", bearer, content, title=title)
    digest = hashlib.sha256(content).hexdigest()
    assert [key.endswith(digest) for key in stored_blobs()] == [True, True]
    client.request("DELETE", "/api/packages/Alice/mymod/releases/1/", headers=bearer)
    assert len(stored_blobs()) == 1
    assert client.get("/packages/Alice/mymod/releases/2/download/").status == 302


def test_the_state_of_a_task_is_public(client: Client, alice: Account) -> None:
    draft("Alice/mymod")
    reply = upload(client, "Alice/mymod", token(alice), zipped(MOD))
    assert client.get(reply.json["task"]).json == {
        "id": reply.json["task"][7:-1],
        "status": "PENDING",
        "result": None,
    }


def test_a_failed_release_leaves_no_other_items(client: Client, bearer: dict[str, str]) -> None:
    draft("Alice/mymod")
    checked(client, upload(client, "Alice/mymod", bearer, b"no zip"))
    kinds = sorted(str(item.kind) for item in ContentDbItem.scan())
    assert "file" not in kinds
    assert "release-name" not in kinds


@pytest.mark.parametrize("content", [b"\x1bLua\x51\x00", b"\x1bLJ\x02", b"#" * 2_000_000 + b"\n\x1bLJ\x02"])
def test_precompiled_lua_is_an_error(error: Check, content: bytes) -> None:
    assert error(zipped({**MOD, "src/x.lua": content})) == "The zip file has precompiled Lua: src/x.lua"
