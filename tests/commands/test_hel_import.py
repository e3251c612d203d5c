"""`moonbase hel import oppm` as people run it, and the files that players get."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from tests import warm
from tests.hel.oppm_repository import FILES, NOTES, REFUSED, write
from tests.servers import moonbase, serving


def test_players_get_an_imported_program_and_people_read_the_reasons(tmp_path: Path) -> None:
    data, source = tmp_path / "data", write(tmp_path / "repository")
    with serving(data, "--workers", "1") as server:
        moonbase(data, "user", "create", "Alice", "--email", "alice@example.org")
        line = ("hel", "import", "oppm", str(source), "--account", "alice", "--url", server.url)
        names = ["drum", "mpm-tar", "base"]
        assert moonbase(data, *line)["created"] == names
        assert [row["package"] for row in moonbase(data, "hel", "list", "--owner", "alice")] == names
        (version,) = json.loads(server.get("/packages/drum")[1])["data"]["versions"].values()
        (url,) = (url for url, file in version["files"].items() if file["path"] == "/etc/drum.cfg")
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == server.url
        assert server.get(f"{parts.path}?{parts.query}") == (200, FILES["etc/drum.cfg"])
    done = warm.run(("--data", str(data), *line))
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.split("\n")
    assert shown[:8] == ["created: none", "updated: none", "unchanged:", *names, "notes:", NOTES[0]]
    assert shown[-1 - len(REFUSED) :] == [*(f"{each['program']}: {each['why']}" for each in REFUSED), ""]


def test_an_import_creates_no_data_directory(tmp_path: Path) -> None:
    data, source = tmp_path / "data", write(tmp_path / "repository")
    done = warm.run(
        ("--data", str(data), "hel", "import", "oppm", str(source), "--account", "alice", "--url", "http://x.org")
    )
    error = f"moonbase: there is no data directory {data}; `moonbase serve` creates one\n"
    assert (done.returncode, done.stdout, done.stderr, data.exists()) == (1, "", error, False)
