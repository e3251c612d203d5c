"""The import of an OPPM repository: packages with dated versions, hosted files, and what Hel cannot say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.errors import Invalid, NotFound
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from commands.hel_oppm import oppm
from tests import git_server, people
from tests.client import Client
from tests.hel.builders import Create, package, stored
from tests.hel.oppm_repository import FILES, NOTES, REFUSED, write
from tests.worlds import both_worlds

URL = "http://hel.example.org"
MISSING = "drum {} depends on unseen, which is not here: the installation will fail, even if it is optional."


def run(source: Path | str, account: str = "alice", url: str = URL) -> Any:
    """Run the command on the tables of the test."""
    return oppm.main([str(source), "--account", account, "--url", url], standalone_mode=False)


def report(**lists: list[Any]) -> dict[str, Any]:
    """The result of an import; what is not given is empty."""
    return {"created": [], "updated": [], "unchanged": [], "notes": [], "refused": [], **lists}


def today(count: int = 0) -> str:
    """The number of a version of the day of the tests."""
    return f"2026.307.{count}"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """It is the 7th of March."""
    with time_machine.travel("2026-03-07T12:00:00Z", tick=False) as clock:
        yield clock


def one(files: str, more: str = "") -> dict[str, bytes]:
    """A repository with one program, `tool`, and the file tool.lua."""
    return {"programs.cfg": f"{{ tool = {{ files = {{{files}}}, {more} }} }}".encode(), "tool.lua": b"print(1)\n"}


TOOL = one('["master/tool.lua"] = "/bin"')


def shown(client: Client, name: str) -> dict[str, Any]:
    """The package in the API."""
    data: dict[str, Any] = client.get(f"/packages/{name}").json["data"]
    return data


def files_of(client: Client, version: dict[str, Any]) -> dict[str, bytes]:
    """The content of a version's files by their paths, as hpm gets them."""
    urls = {file["path"]: urlsplit(url) for url, file in version["files"].items()}
    return {path: client.get(url.path, query=url.query).body for path, url in urls.items()}


def test_programs_become_packages_with_hosted_files(client: Client, alice: Account, tmp_path: Path) -> None:
    notes = [*NOTES, MISSING.format(today())]
    names = ["drum", "mpm-tar", "base"]
    assert run(write(tmp_path)) == report(created=names, notes=notes, refused=REFUSED)
    drum = shown(client, "drum")
    version = drum.pop("versions").pop(today())
    stats = drum.pop("stats")
    assert stats["downloads"] == 0
    assert drum == {
        "name": "drum",
        "description": "Plays a drum.",
        "short_description": "Plays a drum.",
        "owners": ["Alice"],
        "authors": ["Alice, Bob"],
        "license": "unknown",
        "tags": ["oppm"],
        "screenshots": {},
    }
    assert files_of(client, version) == {
        "/usr/bin/drum.lua": FILES["drum/drum.lua"],
        "/usr/bin/new.lua": FILES["drum/new.lua"],
        "/usr/lib/drum/a.lua": FILES["drum/lib/a.lua"],
        "/usr/lib/drum/deep/b.lua": FILES["drum/lib/deep/b.lua"],
        "/etc/drum.cfg": FILES["etc/drum.cfg"],
    }
    wanted = {"type": "required", "version": "*"}
    assert version["depends"] == {"mpm-tar": wanted, "base": wanted, "unseen": wanted}
    assert version["changes"] == "Beat it."
    tar, base = (shown(client, name) for name in ("mpm-tar", "base"))
    assert (tar["description"], tar["authors"]) == ("mpm.tar", ["Carol", "Dan"])
    assert tar["versions"][today()]["depends"] == {"base": wanted}
    assert base["versions"] == {today(): {"files": {}, "depends": {}, "changes": ""}}
    assert base["authors"] == ["Alice"]


def test_a_second_run_changes_nothing(client: Client, alice: Account, tmp_path: Path, calls: list[str]) -> None:
    first = run(write(tmp_path))
    before = [item.serialize() for item in stored()]
    calls.clear()
    assert run(tmp_path) == {**first, "created": [], "unchanged": first["created"]}
    assert {call for call in calls if not call.startswith(("Get", "Query", "BatchGet"))} == set()
    assert [item.serialize() for item in stored()] == before


@both_worlds
def test_a_changed_program_gets_a_dated_version(client: Client, alice: Account, tmp_path: Path) -> None:
    run(write(tmp_path, TOOL))
    for count, content in enumerate((b"print(2)\n", b"print(3)\n"), 1):
        (tmp_path / "tool.lua").write_bytes(content)
        assert run(tmp_path) == report(updated=["tool"])
        versions = shown(client, "tool")["versions"]
        assert list(versions) == [today(number) for number in range(count + 1)]
        assert files_of(client, versions[today(count)]) == {"/usr/bin/tool.lua": content}
    assert files_of(client, versions[today()]) == {"/usr/bin/tool.lua": b"print(1)\n"}


def test_a_version_of_a_later_day_is_the_latest(
    client: Client, alice: Account, tmp_path: Path, clock: time_machine.Traveller
) -> None:
    run(write(tmp_path, TOOL))
    numbers = [today()]
    for day, number in (("2026-03-10", "2026.310.0"), ("2026-11-02", "2026.1102.0"), ("2027-01-01", "2027.101.0")):
        clock.move_to(f"{day}T00:00:00Z")
        (tmp_path / "tool.lua").write_text(day)
        assert run(tmp_path) == report(updated=["tool"])
        numbers.append(number)
        assert list(shown(client, "tool")["versions"]) == numbers
        assert run(tmp_path) == report(unchanged=["tool"])


@pytest.mark.parametrize(
    "changed",
    [
        one('["master/tool.lua"] = "/lib"'),
        one('["master/tool.lua"] = "/bin"', 'note = "New."'),
        {**one('["master/tool.lua"] = "/bin"', 'dependencies = {"tool-base"}')},
        one(""),
    ],
    ids=["place", "note", "dependencies", "files"],
)
def test_a_change_of_a_version_is_a_new_version(
    client: Client, alice: Account, tmp_path: Path, changed: dict[str, bytes]
) -> None:
    run(write(tmp_path, TOOL))
    assert run(write(tmp_path, changed))["updated"] == ["tool"]
    assert list(shown(client, "tool")["versions"]) == [today(), today(1)]
    assert run(tmp_path)["unchanged"] == ["tool"]


def test_a_change_of_the_texts_is_no_new_version(client: Client, alice: Account, tmp_path: Path) -> None:
    run(write(tmp_path, TOOL))
    long = "x" * 200
    write(tmp_path, one('["master/tool.lua"] = "/bin"', f'description = "{long}", authors = "Bob"'))
    assert run(tmp_path) == report(updated=["tool"])
    tool = shown(client, "tool")
    assert (tool["description"], tool["short_description"], tool["authors"]) == (long, long[:140], ["Bob"])
    assert list(tool["versions"]) == [today()]
    assert run(tmp_path) == report(unchanged=["tool"])


def test_a_program_that_is_gone_stays(client: Client, alice: Account, tmp_path: Path) -> None:
    run(write(tmp_path, TOOL))
    (tmp_path / "programs.cfg").write_bytes(b"{}")
    assert run(tmp_path) == report()
    assert list(shown(client, "tool")["versions"]) == [today()]


def test_of_two_files_at_one_place_the_first_is_taken(client: Client, alice: Account, tmp_path: Path) -> None:
    write(tmp_path, {**one('["master/tool.lua"] = "/bin", ["master/b/tool.lua"] = "//usr/bin"'), "b/tool.lua": b""})
    note = "tool: b/tool.lua is left out, because tool.lua is installed at /usr/bin/tool.lua"
    assert run(tmp_path) == report(created=["tool"], notes=[note])
    assert files_of(client, shown(client, "tool")["versions"][today()]) == {"/usr/bin/tool.lua": b"print(1)\n"}


def test_a_package_of_others_or_of_another_origin_is_left_alone(client: Client, create: Create, tmp_path: Path) -> None:
    root = people.register("Root", "root@example.org", "rootroot", "ADMIN")
    write(tmp_path, TOOL)
    create(package("tool", owners=["Alice"]))
    before = [item.serialize() for item in stored()]
    why = "The package tool is not imported: it has no tag oppm."
    assert run(tmp_path) == report(refused=[{"program": "tool", "why": why}])
    why = "The package tool has other owners: Alice."
    assert run(tmp_path, root.username) == report(refused=[{"program": "tool", "why": why}])
    assert [item.serialize() for item in stored()] == before


def test_a_git_repository_is_imported(client: Client, alice: Account) -> None:
    repo = git_server.repository()
    git_server.commit(repo, FILES, links={"drum/lib/link.lua": b"../../mpm.lua"})
    with git_server.serving({"programs": repo}) as url, settings.override(outbound_networks=("127.0.0.0/8",)):
        first = run(f"{url}/programs")
        again = run(f"{url}/programs")
        git_server.commit(repo, {**FILES, "mpm.lua": b"print('more')\n"})
        third = run(f"{url}/programs")
    notes = [*NOTES, MISSING.format(today())]
    assert first == report(created=["drum", "mpm-tar", "base"], notes=notes, refused=REFUSED)
    assert again == report(unchanged=["drum", "mpm-tar", "base"], notes=notes, refused=REFUSED)
    assert (third["updated"], third["unchanged"]) == (["mpm-tar"], ["drum", "base"])
    paths = {file["path"] for file in shown(client, "drum")["versions"][today()]["files"].values()}
    assert "/usr/lib/drum/deep/b.lua" in paths
    assert "/usr/lib/drum/link.lua" not in paths


def test_a_whole_repository_is_a_folder(client: Client, alice: Account, tmp_path: Path) -> None:
    write(tmp_path, {**one('[":master/"] = "/share/tool"'), ".git/config": b"secret"})
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    assert run(tmp_path) == report(created=["tool"])
    files = files_of(client, shown(client, "tool")["versions"][today()])
    assert files.keys() == {"/usr/share/tool/programs.cfg", "/usr/share/tool/tool.lua"}


@pytest.mark.parametrize("path", ["out/passwd", "passwd", "x" * 300, "tool.lua/x"])
def test_a_file_outside_or_with_an_impossible_name_is_none(alice: Account, tmp_path: Path, path: str) -> None:
    write(tmp_path, one(f'["master/{path}"] = "/bin"'))
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    why = f"There is no file {path} in the repository."
    assert run(tmp_path) == report(refused=[{"program": "tool", "why": why}])


def test_a_large_file_and_many_files_are_refused(alice: Account, tmp_path: Path) -> None:
    write(tmp_path, {**TOOL, "tool.lua": b"x" * 101})
    with settings.override(hel_largest_file=100):
        why = "tool.lua is larger than 100 bytes."
        assert run(tmp_path) == report(refused=[{"program": "tool", "why": why}])
    write(tmp_path, one('[":master/many"] = "/bin"'))
    write(tmp_path, {f"many/{number}": b"" for number in range(1001)})
    why = "It has more than 1000 files."
    assert run(tmp_path) == report(refused=[{"program": "tool", "why": why}])


def test_a_quota_refuses_a_program_with_its_reason(alice: Account, tmp_path: Path) -> None:
    with settings.override(hel_packages=0):
        done = run(write(tmp_path, TOOL))
    assert (done["created"], len(done["refused"]), stored()) == ([], 1, [])


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "The repository has no programs.cfg."),
        (b"os.exit()", "programs.cfg is no table of data: line 1, near os.exit()"),
        (b"{" + b"{}," * 1001 + b"}", "programs.cfg has more than 1000 programs."),
    ],
)
def test_an_unusable_programs_cfg_is_one_error(
    alice: Account, tmp_path: Path, content: bytes | None, error: str
) -> None:
    write(tmp_path, {} if content is None else {"programs.cfg": content})
    with pytest.raises(Invalid) as refused:
        run(tmp_path)
    assert refused.value.message == error


@pytest.mark.parametrize("url", ["hel.example.org", "ftp://hel.example.org", "http://", "http://hel.example.org/?a=b"])
def test_the_url_of_the_server_is_checked(alice: Account, tmp_path: Path, url: str) -> None:
    with pytest.raises(Invalid):
        run(write(tmp_path, TOOL), url=url)
    assert stored() == []


def test_the_url_can_have_a_path_and_a_slash(client: Client, alice: Account, tmp_path: Path) -> None:
    run(write(tmp_path, TOOL), url="https://example.org/moon/")
    (url,) = shown(client, "tool")["versions"][today()]["files"]
    assert url.startswith("https://example.org/moon/hel/files/Alice/")
    assert run(tmp_path, url=URL) == report(unchanged=["tool"])


def test_an_unknown_account_is_an_error(aws: None, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run(write(tmp_path, TOOL), "nobody")
    assert accounts.find("nobody") is None
