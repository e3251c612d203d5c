"""A fifth service needs only its slice, and one line in the list of app.py."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from chalicelib.core import backup, blobs, fsck, job_runner, registry, storage
from chalicelib.core.errors import Invalid
from chalicelib.core.identity import credentials
from chalicelib.core.tables import Account, now
from chalicelib.web import shelves
from chalicelib.web.response import Response
from chalicelib.web.site import Site
from tests.slices import books
from tests.slices.books import Book
from tests.web.gateway_events import rest_event

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def site(aws: None) -> Iterator[Site]:
    """The server with the fifth slice; its table is created like those of the other slices."""
    with registry.including(books.books) as slices:
        storage.create_tables(slices.models)
        books.catalogue.drop_cache()
        yield Site(slices.declarations)


def send(site: Site, method: str, path: str, key: str = "", body: bytes = b"") -> Response:
    return site(rest_event(method, path, headers={"Authorization": f"Bearer {key}"}, body=body))


@pytest.fixture
def dune(site: Site, alice: Account) -> str:
    """A published book; returns the key of its blob."""
    key = credentials.create(alice, "books", scope="book:dune")[1]
    assert send(site, "PUT", "/books/dune", key, b"sand").status == 201
    return str(Book.get("book#dune", "book").blob)


def test_its_routes_and_errors_use_its_dialect(site: Site, dune: str) -> None:
    assert json.loads(send(site, "GET", "/books").body) == ["dune"]
    assert json.loads(send(site, "GET", "/books/dune/pages").body) == {"books": "There is nothing at this path."}


def test_its_keys_have_its_scopes(site: Site, alice: Account) -> None:
    with pytest.raises(Invalid, match=r"The scope of a key for books is read or book:TITLE\."):
        credentials.create(alice, "books", scope="module:dune")
    key = credentials.create(alice, "books", scope="book:dune")[1]
    assert send(site, "PUT", "/books/emma", key, b"x").status == 403
    assert "books" in credentials.services()


def test_its_jobs_run(site: Site, dune: str) -> None:
    job_runner.run_due()
    assert Book.get("book#dune", "book").size == 4
    job_runner.run_now("books-open")
    assert books.runs.pop() == "books-open"


def test_folding_and_fsck_include_its_catalogue(site: Site, dune: str) -> None:
    job_runner.run_now("fold-catalogues")
    assert inconsistencies() == []
    Book.get("book#dune", "book").update(actions=[Book.owner.set("bob")])
    assert inconsistencies() == [("catalogue", "books")]


def test_fsck_finds_its_orphaned_and_missing_blobs(site: Site, dune: str) -> None:
    assert inconsistencies() == []
    orphaned = blobs.put(b"left over", "books").key
    with time_machine.travel(now() + timedelta(days=2)):
        assert ("forgotten-blob", orphaned) in inconsistencies()
    blobs.delete(dune)
    assert ("missing-blob", f"{Book.Meta.table_name} book#dune book") in inconsistencies()


def inconsistencies() -> list[tuple[str, str]]:
    return [
        (inconsistency.kind, inconsistency.subject) for inconsistency in fsck.check(fsck.FsckScan(), lambda _: None)
    ]


def test_export_and_import_include_it(site: Site, dune: str, tmp_path: Path) -> None:
    with (tmp_path / "all.tar").open("w+b") as file:
        backup.write(file, str(tmp_path / "key"), lambda _: None)
        Book.get("book#dune", "book").delete()
        blobs.delete(dune)
        backup.read(file, str(tmp_path / "key"), lambda _: None, replace=True)
    assert blobs.get(dune) == b"sand"
    assert json.loads(send(site, "GET", "/books").body) == ["dune"]


def test_pages_of_users_show_its_works(site: Site, dune: str) -> None:
    assert [work.path for work in shelves.of("Alice")["Books"]] == ["/books/dune"]


def test_one_line_in_the_app_adds_it_to_the_command_line(tmp_path: Path) -> None:
    text = (ROOT / "app.py").read_text()
    extended = text.replace("SLICES = (", "from tests.slices.books import books\n\nSLICES = (books, ")
    assert extended != text
    (tmp_path / "app.py").write_text(extended)

    def moonbase(*words: str) -> Any:
        arguments = ["--data", str(tmp_path / "data"), "--json", *words]
        paths = os.pathsep.join([str(tmp_path), str(ROOT)])
        process = subprocess.run(
            [sys.executable, "-c", "from commands.run import run; run()", *arguments],
            env={**os.environ, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"},
            capture_output=True,
            text=True,
        )
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    moonbase("user", "create", "alice", "--email", "alice@example.org")
    key = moonbase("key", "create", "alice", "--service", "books", "--scope", "book:dune")["key"]
    assert len(key) == 40
    assert moonbase("jobs", "run", "books-open") == {"done": 1}
    assert moonbase("catalogue", "rebuild", "books")["entries"] == 0
    assert moonbase("fsck")["faults"] == []
