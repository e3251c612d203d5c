"""Git repositories: fetched by branch, tag or hash, zipped like `git archive`, never from private networks."""

import socket
from collections.abc import Iterator
from io import BytesIO
from zipfile import ZipFile

import pytest

from chalicelib import settings
from chalicelib.core.confinement.workers import Confined
from chalicelib.core.errors import Invalid
from chalicelib.core.outbound import git
from tests import git_server

LOOPBACK = ("127.0.0.0/8",)
MIB = 1024 * 1024
CAPS = git.GitCaps(written=300 * MIB, zipped=100 * MIB)
MOD = {"init.lua": b"-- init", "mod.conf": b"name = mymod\n", "textures/a.png": b"png"}


@pytest.fixture(autouse=True)
def _loopback() -> Iterator[None]:
    with settings.override(outbound_networks=LOOPBACK):
        yield


def files(content: bytes) -> dict[str, bytes]:
    with ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_default_branch_is_zipped_below_the_prefix() -> None:
    repo = git_server.repository()
    sha = git_server.commit(repo, MOD)
    with git_server.serving({"mod": repo}) as url:
        fetched = git.fetch(f"{url}/mod", CAPS, None, "mymod")
    assert (fetched.commit, fetched.subjects) == (sha, [])
    assert (fetched.author, fetched.subject) == ("Author", "Change something")
    assert fetched.committed_at.isoformat() == "2023-11-14T22:18:20+00:00"
    assert files(fetched.content) == {f"mymod/{path}": content for path, content in MOD.items()}


@pytest.mark.parametrize("ref", ["dev", "v1", "refs/tags/v1", "refs/heads/dev", "{sha}"])
def test_a_branch_a_tag_or_a_hash_names_the_commit(ref: str) -> None:
    repo = git_server.repository()
    git_server.commit(repo, {"old": b""})
    sha = git_server.commit(repo, MOD, branch="dev")
    git_server.tag(repo, "v1", sha)
    with git_server.serving({"mod": repo}) as url:
        assert git.fetch(f"{url}/mod", CAPS, ref.format(sha=sha), "m").commit == sha


def test_the_zip_omits_symbolic_links_and_export_ignored_files() -> None:
    repo = git_server.repository()
    attributes = b"/tests export-ignore\n*.xcf export-ignore\n/keep.xcf -export-ignore\n"
    kept = {"init.lua": b"", "keep.xcf": b"", "src/a.lua": b"", ".gitattributes": attributes}
    nested = {"src/.gitattributes": b"secret.lua export-ignore\n"}
    dropped = {"tests/a.lua": b"", "art/x.xcf": b"", "src/secret.lua": b""}
    git_server.commit(repo, {**kept, **nested, **dropped}, links={"link": b"/etc/passwd"})
    with git_server.serving({"mod": repo}) as url:
        content = git.fetch(f"{url}/mod", CAPS, "master", "m").content
    assert set(files(content)) == {f"m/{path}" for path in {**kept, **nested}}


def test_submodules_are_fetched_at_their_commit() -> None:
    library = git_server.repository()
    wanted = git_server.commit(library, {"lib.lua": b"1"})
    repo = git_server.repository()
    modules = b'[submodule "lib"]\n\tpath = mods/lib\n\turl = ../lib\n'
    git_server.commit(repo, {**MOD, ".gitmodules": modules}, submodules={"mods/lib": wanted})
    with git_server.serving({"mod": repo, "lib": library}) as url:
        assert files(git.fetch(f"{url}/mod", CAPS, None, "m").content)["m/mods/lib/lib.lua"] == b"1"


def test_the_subjects_since_the_previous_release_are_newest_first() -> None:
    repo = git_server.repository()
    git_server.commit(repo, {"a": b"1"}, "First")
    previous = git_server.commit(repo, {"a": b"2"}, "Released")
    git_server.commit(repo, {"a": b"3"}, "Fix a thing\n\nIn detail.")
    git_server.commit(repo, {"a": b"4"}, "Add another")
    with git_server.serving({"mod": repo}) as url:
        assert git.fetch(f"{url}/mod", CAPS, None, "m", previous).subjects == ["Add another", "Fix a thing"]
        assert git.fetch(f"{url}/mod", CAPS, None, "m", "f" * 40).subjects == []


@pytest.mark.parametrize(
    ("path", "ref", "message"),
    [
        ("mod", "no-such", "There is no branch or tag no-such in the repository."),
        ("empty", None, "The repository is empty."),
        ("nothing", None, "There is no Git repository at the repository's address."),
        ("mod", "f" * 40, "The Git server"),
    ],
)
def test_an_unavailable_commit_or_repository_has_a_clear_error(path: str, ref: str | None, message: str) -> None:
    repo = git_server.repository()
    git_server.commit(repo, MOD)
    with git_server.serving({"mod": repo, "empty": git_server.repository()}) as url, pytest.raises(Invalid) as caught:
        git.fetch(f"{url}/{path}", CAPS, ref, "m")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "url", ["git://x/y", "file:///etc", "/etc", "https://me:pw@x/y", "git@x", "-oProxyCommand=x:y"]
)
def test_only_http_urls_without_credentials_are_accepted(url: str) -> None:
    with pytest.raises(Invalid, match="must start with http"):
        git.fetch(url, CAPS, None, "m")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"],
)
def test_private_addresses_are_rejected(host: str) -> None:
    with settings.override(outbound_networks=()), pytest.raises(Invalid, match="is not a public address"):
        git.fetch(f"http://{host}:9/x", CAPS, None, "m")


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    with socket.create_server(("127.0.0.2", 0)) as inside:
        inside.settimeout(0)
        target = f"http://127.0.0.2:{inside.getsockname()[1]}"
        with (
            settings.override(outbound_networks=("127.0.0.1/32",)),
            git_server.serving({}, {"away": target}) as url,
            pytest.raises(Invalid, match=r"127\.0\.0\.2 is not a public address"),
        ):
            git.fetch(f"{url}/away/x", CAPS, None, "m")
        with pytest.raises(BlockingIOError):
            inside.accept()


def test_a_submodule_at_a_private_address_is_rejected() -> None:
    repo = git_server.repository()
    modules = b'[submodule "lib"]\n\tpath = lib\n\turl = http://127.0.0.3/lib\n'
    git_server.commit(repo, {".gitmodules": modules}, submodules={"lib": "1" * 40})
    with (
        settings.override(outbound_networks=("127.0.0.1/32",)),
        git_server.serving({"mod": repo}) as url,
        pytest.raises(Invalid, match=r"127\.0\.0\.3 is not a public address"),
    ):
        git.fetch(f"{url}/mod", CAPS, None, "m")


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        (git.GitCaps(written=100_000, zipped=MIB), "files of the repository are too large"),
        (git.GitCaps(written=MIB, zipped=MIB, received=100), "repository is too large"),
        (git.GitCaps(written=MIB, zipped=100), "makes a zip of more than 100 bytes"),
    ],
)
def test_a_repository_over_a_limit_is_rejected(caps: git.GitCaps, message: str) -> None:
    repo = git_server.repository()
    git_server.commit(repo, {"big": bytes(200_000)})
    with git_server.serving({"mod": repo}) as url, pytest.raises(Invalid, match=message):
        git.fetch(f"{url}/mod", caps, None, "m")


def test_a_server_that_does_not_answer_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = Confined(git.FETCHER.factory, git.FETCHER.sample, git.FETCHER.limits._replace(seconds=1.5))
    monkeypatch.setattr(git, "FETCHER", impatient)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Invalid, match="too slow"):
        git.fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/x", CAPS, None, "m")
    impatient.close()


def test_the_worker_is_limited_to_one_gibibyte() -> None:
    assert git.FETCHER.limits.memory <= 1024 * 1024 * 1024


def test_the_newest_commit_of_a_branch_is_found() -> None:
    repo = git_server.repository()
    first = git_server.commit(repo, MOD)
    second = git_server.commit(repo, MOD, branch="dev")
    with git_server.serving({"mod": repo}) as url:
        assert git.newest(f"{url}/mod") == git.Newest(first, None, None)
        assert git.newest(f"{url}/mod", branch="dev") == git.Newest(second, None, None)
        with pytest.raises(Invalid, match="There is no branch x in the repository"):
            git.newest(f"{url}/mod", branch="x")


def test_the_newest_tag_is_the_one_that_was_created_last() -> None:
    repo = git_server.repository()
    first = git_server.commit(repo, MOD)
    with git_server.serving({"mod": repo}) as url:
        assert git.newest(f"{url}/mod", tags=True) is None
        git_server.tag(repo, "v9", first)
        git_server.tag(repo, "v10", first)  # of the same date: the higher number counts
        assert git.newest(f"{url}/mod", tags=True) == git.Newest(first, "v10", "A tag")
        later = git_server.commit(repo, {**MOD, "new": b""})
        repo.refs[b"refs/tags/a"] = later.encode()  # without a message
        repo.refs[b"refs/tags/files"] = repo[later.encode()].tree  # no tag of a commit
        assert git.newest(f"{url}/mod", tags=True) == git.Newest(later, "a", None)


def test_an_empty_repository_has_no_newest_commit() -> None:
    with (
        git_server.serving({"mod": git_server.repository()}) as url,
        pytest.raises(Invalid, match="The repository is empty"),
    ):
        git.newest(f"{url}/mod")
