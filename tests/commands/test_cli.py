"""The command line prints exactly one JSON document, or text; an error is one line."""

import json
import os
import pwd
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import Engine
from standalone.storage.database import FORMAT
from tests import warm
from tests.servers import MOONBASE, moonbase, serving


def run(data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return warm.run(("--data", str(data), *arguments))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli") / "data"
    moonbase(directory, "user", "create", "Alice", "--email", "alice@example.org", "--password", "wonderland")
    return directory


def test_a_user_is_created_listed_and_shown(data: Path) -> None:
    created = moonbase(data, "user", "create", "bob", "--email", "bob@example.org", "--rank", "editor")
    assert created == {"id": 2, "username": "bob"}
    row = {"id": 2, "username": "bob", "email": "bob@example.org", "rank": "EDITOR", "suspended": False}
    assert moonbase(data, "user", "list")[1] == row
    shown = moonbase(data, "user", "show", "BOB")
    created_at = shown.pop("created_at")
    assert created_at.endswith("+00:00")
    assert shown == {**row, "two_factor": False, "second_factor_for_uploads": False}


def test_a_user_is_suspended_and_restored(data: Path) -> None:
    assert moonbase(data, "user", "suspend", "alice")["suspended"] is True
    assert moonbase(data, "user", "restore", "alice")["suspended"] is False


def test_the_audit_log_of_an_account_is_shown(data: Path) -> None:
    rows = moonbase(data, "activity", "--account", "alice", "--limit", "0")
    assert {**rows[-1], "at": "then"} == {
        "at": "then",
        "text": "the account Alice was created",
        "action": "account.create",
        "subject": "account#1",
        "account": "Alice",
        "by": None,
        "credential": None,
        "service": None,
        "key": None,
        "address": None,
        "detail": None,
    }


def test_the_activity_of_the_server_is_printed_as_lines(data: Path) -> None:
    plain = run(data, "activity", "--action", "account.create", "--subject", "account#1").stdout.splitlines()
    assert plain[0].split() == ["at", "address", "what"]
    assert plain[1].endswith("-        the account Alice was created")
    printed = run(data, "activity", "--lines", "--limit", "2").stdout.splitlines()
    assert [json.loads(line) for line in printed] == moonbase(data, "activity", "--limit", "2")
    refused = run(data, "activity", "--since", "yesterday")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert run(data, "activity", "--published").stdout == "none\n"


ENQUEUE = """
import sys; from pathlib import Path; from standalone.runtime import open_data; open_data(Path(sys.argv[1]))
from chalicelib.core import jobs; from chalicelib.core.storage import Transaction
writes = Transaction(); jobs.enqueue(writes, 'fold-catalogue', {'name': 'luarocks'}); writes.commit()
"""


def test_pending_jobs_are_listed_and_run(data: Path) -> None:
    subprocess.run([sys.executable, "-c", ENQUEUE, str(data)], cwd=MOONBASE.parent, check=True)
    (pending,) = moonbase(data, "jobs", "list")
    assert pending.pop("id").startswith("1")
    assert pending.pop("due_at").endswith("+00:00")
    assert pending == {
        "name": "fold-catalogue",
        "lane": "slow",
        "state": "due",
        "progress": None,
        "attempts": 0,
        "payload": {"name": "luarocks"},
    }
    assert moonbase(data, "jobs", "run") == {"done": 1}
    assert moonbase(data, "jobs", "list") == moonbase(data, "jobs", "dead") == []


def test_a_data_directory_needs_nothing_from_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that is meant for a stack and an account of AWS has no effect."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MOONBASE_QUEUE", "http://127.0.0.1:1/123456789012/jobs")
    done = subprocess.run([sys.executable, "-c", ENQUEUE, str(tmp_path)], cwd=MOONBASE.parent, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_dead_job_is_listed_and_retried(data: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from standalone.runtime import open_data; open_data(Path(sys.argv[1]))\n"
        "from chalicelib.core.tables import Job\n"
        "job = Job('jobs-dead', '1.0#ab', name='fold-catalogue', payload={'name': 'hel'}, due_at=1, attempts=8)\n"
        "job.error = 'E'; job.save()"
    )
    subprocess.run([sys.executable, "-c", script, str(data)], cwd=MOONBASE.parent, check=True)
    job = {"id": "1.0#ab", "name": "fold-catalogue", "attempts": 8, "payload": {"name": "hel"}}
    assert moonbase(data, "jobs", "dead") == [{**job, "error": "E"}]
    assert moonbase(data, "jobs", "retry", "1.0#ab") == {**job, "attempts": 0}
    assert moonbase(data, "jobs", "run") == {"done": 1}
    refused = run(data, "--json", "jobs", "retry", "1.0#ab")
    assert (refused.returncode, json.loads(refused.stdout)) == (1, {"error": "There is no dead job 1.0#ab."})


RESERVE = """
import sys; from pathlib import Path; from standalone.runtime import open_data; open_data(Path(sys.argv[1]))
from chalicelib.core.identity import names; from chalicelib.core.storage import Transaction
writes = Transaction(); names.reserve(writes, 'luarocks', 'say', ['alice']); writes.commit()
"""


def test_a_reserved_name_is_released_once(data: Path) -> None:
    subprocess.run([sys.executable, "-c", RESERVE, str(data)], cwd=MOONBASE.parent, check=True)
    assert moonbase(data, "name", "release", "luarocks", "say") == {"service": "luarocks", "name": "say"}
    again = run(data, "--json", "name", "release", "luarocks", "say")
    error = {"error": "The name say is not reserved in luarocks."}
    assert (again.returncode, json.loads(again.stdout)) == (1, error)


def test_an_unknown_repeating_job_is_an_error(data: Path) -> None:
    refused = run(data, "--json", "jobs", "run", "no-such-job")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"].startswith("There is no repeating job no-such-job")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another user")
@pytest.mark.parametrize(
    "command", [("user", "list"), ("user", "create", "bob", "--email", "b@example.org"), ("serve",)]
)
def test_root_is_refused_in_the_directory_of_another_user(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A file that root creates there could not be read by the server, which runs as that user."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, -1)
    sudo = f"sudo -u {pwd.getpwuid(65534).pw_name} {MOONBASE} --data"
    for data in (home, *([] if command == ("user", "list") else [home / "new" / "data"])):
        refused = run(data, *command)
        error = f"moonbase: {home} belongs to another user; run: {sudo} {data} {' '.join(command)}\n"
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", error)
        assert list(home.iterdir()) == []


def test_a_mistyped_directory_does_not_become_a_new_installation(tmp_path: Path) -> None:
    refused = run(tmp_path / "typo", "--json", "user", "list")
    error = f"there is no data directory {tmp_path / 'typo'}; `moonbase serve` creates one"
    assert (refused.returncode, json.loads(refused.stdout)) == (1, {"error": error})
    assert not (tmp_path / "typo").exists()


def test_an_unreachable_store_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("MOONBASE_BLOBS", "s3://somewhere")
    refused = subprocess.run([sys.executable, str(MOONBASE), "--json", "user", "list"], capture_output=True, text=True)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert list(json.loads(refused.stdout)) == ["error"]


def test_a_key_is_shown_once_and_listed_without_its_secret(data: Path) -> None:
    arguments = ["--service", "luarocks", "--scope", "module:say", "--expires", "30", "--comment", "CI"]
    created = moonbase(data, "key", "create", "alice", *arguments)
    assert list(created) == ["id", "key"]
    assert (len(created["key"]), created["key"].isalnum()) == (40, True)
    listed = run(data, "--json", "key", "list", "alice").stdout
    assert created["key"] not in listed
    row: dict[str, Any] = json.loads(listed)[-1]
    assert {name: row[name] for name in ("id", "service", "scope", "comment", "last_used_at", "revoked")} == {
        "id": created["id"],
        "service": "luarocks",
        "scope": "module:say",
        "comment": "CI",
        "last_used_at": None,
        "revoked": False,
    }
    assert moonbase(data, "key", "revoke", str(created["id"])) == {"id": created["id"], "revoked": True}


def test_two_factor_is_enabled_and_disabled(data: Path) -> None:
    enabled = moonbase(data, "two-factor", "enable", "alice", "--require-for-uploads")
    assert list(enabled) == ["secret", "uri", "recovery_codes"]
    assert enabled["uri"] == f"otpauth://totp/Moonbase:Alice?secret={enabled['secret']}&issuer=Moonbase"
    assert len(set(enabled["recovery_codes"])) == 8
    assert moonbase(data, "user", "show", "alice")["second_factor_for_uploads"] is True
    assert moonbase(data, "two-factor", "disable", "alice") == {"username": "Alice", "two_factor": False}


def test_the_rank_and_the_password_of_an_account_are_set(data: Path) -> None:
    assert moonbase(data, "user", "rank", "alice", "admin")["rank"] == "ADMIN"
    assert moonbase(data, "user", "password", "alice", "--password", "white rabbit")["username"] == "Alice"
    actions = [row["action"] for row in moonbase(data, "activity", "--account", "alice")]
    assert actions[:2] == ["account.password", "account.rank"]


def test_the_address_of_an_account_is_set(data: Path) -> None:
    moonbase(data, "user", "create", "mel", "--email", "mel@example.org")
    assert moonbase(data, "user", "email", "mel", "mel@example.com")["email"] == "mel@example.com"
    taken = run(data, "user", "email", "mel", "alice@example.org")
    assert (taken.returncode, taken.stderr) == (1, "moonbase: This e-mail address is in use.\n")


def test_an_account_is_deleted(data: Path) -> None:
    moonbase(data, "user", "create", "dora", "--email", "dora@example.org")
    assert run(data, "--json", "user", "delete", "dora").returncode == 2
    assert moonbase(data, "user", "delete", "dora", "--yes") == {
        "username": "dora",
        "done": ["suspended dora", "deleted dora"],
    }
    assert "dora" not in [row["username"] for row in moonbase(data, "user", "list")]
    again = run(data, "user", "delete", "dora", "--yes")
    assert (again.returncode, again.stderr) == (1, "moonbase: The account dora has been deleted already.\n")
    taken = run(data, "user", "create", "Dora", "--email", "dora@example.org")
    assert (taken.returncode, taken.stderr) == (1, "moonbase: This username is taken.\n")


def test_an_invitation_is_shown_once_listed_and_revoked(data: Path) -> None:
    created = moonbase(data, "invitation", "create", "--rank", "editor", "--email", "c@example.org", "--comment", "C")
    assert list(created) == ["id", "invitation"]
    listed = run(data, "--json", "invitation", "list").stdout
    assert created["invitation"] not in listed
    row: dict[str, Any] = json.loads(listed)[-1]
    assert {name: row[name] for name in ("id", "rank", "email", "comment", "state", "used_by")} == {
        "id": created["id"],
        "rank": "EDITOR",
        "email": "c@example.org",
        "comment": "C",
        "state": "open",
        "used_by": None,
    }
    assert moonbase(data, "invitation", "revoke", str(created["id"])) == {"id": created["id"], "revoked": True}
    assert moonbase(data, "invitation", "list")[-1]["state"] == "revoked"


def test_an_invitation_by_mail_is_not_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--json", "invitation", "create", "--email", "d@example.org", "--mail")
    refused = run(data, *arguments)
    assert (refused.returncode, json.loads(refused.stdout)) == (1, {"error": "This server sends no mail."})
    monkeypatch.setenv("MOONBASE_SMTP_URL", "smtp://127.0.0.1")
    monkeypatch.setenv("MOONBASE_MAIL_FROM", "moonbase@example.org")
    created = json.loads(run(data, *arguments).stdout)
    assert created == {"id": created["id"], "mailed": "d@example.org"}
    assert [job["name"] for job in moonbase(data, "jobs", "list")] == ["mail-invitation"]


def test_serve_does_not_start_with_mail_and_without_a_url_for_its_links(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONBASE_SMTP_URL", "smtp://127.0.0.1")
    monkeypatch.setenv("MOONBASE_MAIL_FROM", "moonbase@example.org")
    done = run(data, "serve", "--port", "0")
    assert done.returncode == 2
    assert "mails contain links: with MOONBASE_SMTP_URL, set --base-url or MOONBASE_MAIL_BASE_URL" in done.stderr


def test_sessions_are_listed_and_ended(data: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from standalone.runtime import open_data; open_data(Path(sys.argv[1]))\n"
        "from chalicelib.core.identity import accounts, sessions; from chalicelib.core.caller import Device\n"
        "for _ in range(3): sessions.open_session(accounts.named('alice'), None, Device('192.0.2.1', 'curl/8'))"
    )
    subprocess.run([sys.executable, "-c", script, str(data)], cwd=MOONBASE.parent, check=True)
    rows = moonbase(data, "session", "list", "alice")
    assert [(row["address"], row["user_agent"], row["last_used_at"]) for row in rows] == [
        ("192.0.2.1", "curl/8", None)
    ] * 3
    first = rows[0]["id"]
    assert moonbase(data, "session", "revoke", "alice", str(first)) == {
        "username": "Alice",
        "id": first,
        "revoked": True,
    }
    assert [row["id"] for row in moonbase(data, "session", "list", "alice")] == [row["id"] for row in rows[1:]]
    assert moonbase(data, "session", "revoke", "alice") == {"username": "Alice", "id": None, "revoked": True}
    assert moonbase(data, "session", "list", "alice") == []
    assert {row["service"] for row in moonbase(data, "key", "list", "alice")} <= {"luarocks"}


def test_a_list_is_rebuilt(data: Path) -> None:
    assert moonbase(data, "catalogue", "rebuild", "luarocks") == {"name": "luarocks", "sequence": 1, "entries": 0}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["user", "show", "nobody"], "There is no account nobody."),
        (["user", "create", "ALICE", "--email", "other@example.org"], "This username is taken."),
        (["user", "create", "other", "--email", "Alice@Example.org"], "This e-mail address is in use."),
        (["user", "create", "a", "--email", "a@example.org"],
         "A username has 2 to 25 letters, digits, underscores or hyphens."),
        (["key", "create", "alice", "--service", "luarocks", "--scope", "all"],
         "The scope of a key for luarocks is read or module:NAME."),
        (["key", "revoke", "99"], "There is no key 99."),
        (["session", "revoke", "alice", "99"], "There is no session 99."),
        (["invitation", "revoke", "99"], "There is no invitation 99."),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_exit_code_1(data: Path, arguments: list[str], error: str) -> None:
    refused = run(data, *arguments)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", f"moonbase: {error}\n")
    as_json = run(data, "--json", *arguments)
    assert (as_json.returncode, json.loads(as_json.stdout)) == (1, {"error": error})


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nosuch"],
        ["user"],
        ["user", "create"],
        ["user", "create", "x", "--email", "x@example.org", "--rank", "king"],
        ["key", "create", "alice", "--service", "pop3"],
        ["key", "create", "alice", "--service", "luarocks", "--expires", "0"],
        ["key", "revoke", "seven"],
        ["user", "rank", "alice", "king"],
        ["invitation", "create", "--expires", "366"],
        ["catalogue", "rebuild", "nosuch"],
        ["serve", "--port", "99999"],
        ["serve", "--base-url", "nonsense"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_json_on_request(data: Path, arguments: list[str]) -> None:
    refused = run(data, "--json", *arguments)
    assert (refused.returncode, list(json.loads(refused.stdout))) == (2, ["error"])
    as_text = run(data, *arguments)
    assert (as_text.returncode, as_text.stdout, as_text.stderr.startswith("Usage: moonbase")) == (2, "", True)


def test_an_invalid_setting_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_MAX_BODY", "much")
    refused = run(data, "user", "list")
    error = "moonbase: MOONBASE_MAX_BODY must be a whole number, not 'much'\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", error)


def test_a_mistyped_setting_is_named_with_the_most_similar_one(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_LUAROCKS_READ", "key")
    monkeypatch.setenv("MOONBASE_XYZ", "1")
    listed = run(data, "--json", "jobs", "dead")
    assert (listed.returncode, listed.stdout) == (0, "[]\n")
    assert listed.stderr == (
        "moonbase: there is no setting MOONBASE_LUAROCKS_READ; did you mean MOONBASE_LUAROCKS_READS?\n"
        "moonbase: there is no setting MOONBASE_XYZ\n"
    )


def test_an_unknown_service_in_the_settings_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_SERVICES", "luarocks,lua-dns")
    error = "MOONBASE_SERVICES: there is no service lua-dns; there are: luarocks, contentdb, luadns, hel."
    for command in (["user", "list"], ["serve", "--port", "0"]):
        refused = run(data, "--json", *command)
        assert (refused.returncode, json.loads(refused.stdout)) == (1, {"error": error})


def test_commands_of_a_service_that_is_off_say_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONBASE_SERVICES", "hel")
    error = "LuaDNS is turned off on this server, see the setting MOONBASE_SERVICES."
    for command in (["luadns", "enable", "alice"], ["serve", "--port", "0", "--dns-port", "5353"]):
        refused = run(data, "--json", *command)
        assert (refused.returncode, json.loads(refused.stdout)) == (1, {"error": error})
    assert run(data, "--json", "key", "create", "alice", "--service", "luadns").returncode == 2
    assert run(data, "--json", "luadns", "--help").returncode == 0


def test_read_only_mode_is_turned_on_shown_and_turned_off(data: Path) -> None:
    while moonbase(data, "jobs", "run")["done"]:  # those of other tests
        pass
    on = moonbase(data, "read-only", "on", "--text", "Back at noon.")
    assert {**on, "since": "now"} == {"read_only": True, "text": "Back at noon.", "since": "now"}
    assert moonbase(data, "read-only", "show") == on
    (pending,) = [*enqueued(data)]
    assert (pending["state"], moonbase(data, "jobs", "run")) == ("resting", {"done": 0})
    assert moonbase(data, "read-only", "off") == {"read_only": False, "text": None, "since": None}
    assert moonbase(data, "jobs", "run") == {"done": 1}


def enqueued(data: Path) -> list[dict[str, Any]]:
    """The pending jobs after one was enqueued."""
    subprocess.run([sys.executable, "-c", ENQUEUE, str(data)], cwd=MOONBASE.parent, check=True)
    rows: list[dict[str, Any]] = moonbase(data, "jobs", "list")
    return rows


def test_a_file_that_is_not_a_store_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "tables.sqlite"
    file.write_bytes(b"this is not a database, and long enough to look like one" * 100)
    refused = run(tmp_path, "--json", "user", "list")
    assert (refused.returncode, json.loads(refused.stdout)) == (
        1,
        {"error": f"{file} cannot be used: file is not a database"},
    )


def test_data_of_a_newer_version_is_rejected_in_one_line(tmp_path: Path) -> None:
    file = tmp_path.resolve() / "tables.sqlite"
    Engine(file).close()
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA application_id = {FORMAT + 1}")
    for command in (["user", "list"], ["serve", "--port", "0"]):
        refused = run(tmp_path, *command)
        error = f"moonbase: {file} was written by a newer version of Moonbase than this one\n"
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", error)


def test_only_its_owner_can_read_a_data_directory(tmp_path: Path) -> None:
    moonbase(tmp_path / "data", "user", "create", "x1", "--email", "x@example.org")
    for path in (tmp_path / "data", *(tmp_path / "data").iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_port_in_use_is_one_line(data: Path) -> None:
    with serving(data) as server:
        in_use = run(data, "--json", "serve", "--port", server.url.rpartition(":")[2])
    port = server.url.rpartition(":")[2]
    error = f"cannot listen on 127.0.0.1 port {port}: Address already in use"
    assert (in_use.returncode, json.loads(in_use.stdout)) == (1, {"error": error})


def test_an_unusable_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = run(tmp_path / "file" / "data", "user", "list")
    assert refused.returncode == 1
    assert refused.stderr.startswith("moonbase: ")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [[], ["user"], ["key", "create"], ["two-factor", "enable"], ["serve"]])
def test_every_command_has_help_which_needs_no_data(tmp_path: Path, arguments: list[str]) -> None:
    shown = run(tmp_path / "nothing", *arguments, "--help")
    assert (shown.returncode, shown.stdout.startswith("Usage: moonbase")) == (0, True)
    assert not (tmp_path / "nothing").exists()
