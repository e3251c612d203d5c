"""`moonbase luadns export`, `import` and `sync`, with and without a running server."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib import settings
from chalicelib.core import aws, job_runner
from commands.luadns import luadns
from tests.luadns.api import LuaDns
from tests.luadns.served import Served, served
from tests.servers import MOONBASE, moonbase
from tests.worlds import moto_only


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("cli") / "data", "--workers", "1") as running:
        yield running


def run(server: Served, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(MOONBASE), "--data", str(server.server.data), "luadns", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def test_a_zone_is_exported_and_imported(server: Served, tmp_path: Path) -> None:
    server.zone("out.test", ("www", "A", "192.0.2.1"), ("", "ALIAS", "www.out.test."))
    server.zone("in.test", ("old", "A", "192.0.2.9"))
    printed = run(server, "export", "OUT.test.")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.startswith("$ORIGIN out.test.\nout.test. 3600 IN SOA ")
    assert moonbase(server.server.data, "luadns", "export", "out.test") == {"zone": "out.test", "text": printed.stdout}

    file = tmp_path / "in.zone"
    file.write_text(printed.stdout.replace("out.test", "in.test"))
    assert moonbase(server.server.data, "luadns", "import", "in.test", str(file))["records"] == 2
    assert server.dig("in.test", "A", "+short") == "192.0.2.1\n"
    assert server.dig("old.in.test", "A", "+short") == "192.0.2.9\n"
    piped = run(server, "import", "in.test", "-", "--replace", input=file.read_text())
    assert piped.returncode == 0, piped.stderr
    assert server.dig("old.in.test", "A", "+short") == ""


def test_zones_are_listed(server: Served) -> None:
    server.zone("b.list.test", ("www", "A", "192.0.2.1"))
    server.zone("a.list.test")
    listed = moonbase(server.server.data, "luadns", "list")
    rows = [row for row in listed if "list.test" in row["zone"]]
    assert [(row["zone"], row["records"]) for row in rows] == [("a.list.test", 3), ("b.list.test", 4)]
    assert list(rows[0]) == ["zone", "account", "records", "serial", "updated_at"]
    assert moonbase(server.server.data, "luadns", "list", "--account", rows[0]["account"]) == listed


def test_errors_are_one_line(server: Served, tmp_path: Path) -> None:
    server.zone("wrong.test")
    file = tmp_path / "wrong.zone"
    file.write_text("fine A 192.0.2.1\n\nwrong A 192.0.2\n")
    done = run(server, "import", "wrong.test", str(file))
    assert (done.returncode, done.stderr) == (1, "moonbase: line 3: Text input is malformed.\n")
    assert server.dig("fine.wrong.test", "A", "+short") == ""
    done = run(server, "export", "nosuch.test")
    assert (done.returncode, done.stderr) == (1, "moonbase: There is no zone nosuch.test.\n")


def test_secondaries_and_tsig_keys(server: Served) -> None:
    server.zone("second.test")
    data = server.server.data
    made = moonbase(data, "luadns", "tsig", "create", "alice", "x.second.test", "--scope", "transfer:second.test")
    assert {**made, "secret": len(made.pop("secret"))} == {
        "name": "x.second.test",
        "algorithm": "hmac-sha256",
        "scope": "transfer:second.test",
        "secret": 44,
    }
    assert moonbase(data, "luadns", "tsig", "list", "alice") == [made]
    added = moonbase(data, "luadns", "secondary", "add", "second.test", "192.0.2.1", "--key", made["name"])
    assert added == [{"address": "192.0.2.1", "port": 53, "key": "x.second.test", "notify": True}]
    assert moonbase(data, "luadns", "secondary", "list", "second.test") == added
    assert moonbase(data, "luadns", "secondary", "remove", "second.test", "192.0.2.1") == []
    assert moonbase(data, "luadns", "tsig", "delete", "alice", "x.second.test") == made
    done = run(server, "secondary", "remove", "second.test", "192.0.2.1")
    assert (done.returncode, done.stderr) == (1, "moonbase: second.test has no secondary 192.0.2.1.\n")


def test_sync_warns_about_name_servers_that_nobody_reaches(server: Served) -> None:
    server.zone("sync.test")
    done = moonbase(server.server.data, "luadns", "sync", "sync.test")
    assert (done["changed"], done["name_servers"]) == (False, ["ns1.localhost.", "ns2.localhost."])
    assert done["warning"].startswith("zones have the name servers ns1.localhost. and ns2.localhost.: ")


def call(command: str, *arguments: str) -> Any:
    """Run a command in this process, on the test's tables."""
    main: Callable[..., Any] = luadns.commands[command].main
    return main(list(arguments), standalone_mode=False, obj={"as_json": True})


@moto_only
def test_sync_overwrites_manual_changes_at_route_53(dns: LuaDns) -> None:
    with settings.override(luadns_engine="route53"):
        zone = dns.zone()
        dns.record(zone, "www.example.com.", "A", "192.0.2.1")
        job_runner.run_due()
        route53 = aws.client("route53")
        (hosted,) = route53.list_hosted_zones()["HostedZones"]
        wrong = {"Name": "www.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "203.0.113.1"}]}
        changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wrong}]}
        route53.change_resource_record_sets(HostedZoneId=hosted["Id"], ChangeBatch=changes)
        done = call("sync", "example.com")
        assert {name: done[name] for name in ("zone", "changed", "synced", "refused")} == {
            "zone": "example.com",
            "changed": True,
            "synced": True,
            "refused": [],
        }
        assert all(name.endswith(".") for name in done["name_servers"])
        assert call("sync", "example.com")["changed"] is False
        found = route53.list_resource_record_sets(HostedZoneId=hosted["Id"])["ResourceRecordSets"]
        assert json.dumps(found).count("192.0.2.1") == 1


def test_the_history_of_a_zone_is_listed_and_an_earlier_state_restored(dns: LuaDns, zone: int) -> None:
    serial = dns.serial(zone)
    dns.record(zone, "www", "A", "192.0.2.1")
    newest, first = call("history", "example.com")
    assert (newest["action"], newest["removed"], newest["added"]) == (
        "record.create",
        [],
        ["www.example.com. 300 A 192.0.2.1"],
    )
    assert call("history", "example.com", "--limit", "1") == [newest]
    done = call("revert", "example.com", "--to", str(first["serial"]))
    assert (first["serial"], done["zone"], done["restored"]) == (serial, "example.com", 0)
    assert dns.own(zone) == []


def test_zones_are_built_from_a_working_copy(server: Served, tmp_path: Path) -> None:
    server.zone("lua.test", ("www", "A", "192.0.2.1"), ("", "MX", "10 mx.lua.test."))
    account = moonbase(server.server.data, "luadns", "list")[0]["account"]
    file = tmp_path / "lua.test.lua"
    file.write_text(run(server, "export", "lua.test", "--format", "lua").stdout)
    assert file.read_text() == '-- lua.test\n\nmx("", "mx.lua.test.", 10)\n\na("www", "192.0.2.1")\n'
    build = ("build", str(tmp_path), "--account", account)
    assert run(server, *build).stdout == "lua.test: unchanged\n"

    file.write_text('a("www", "192.0.2.2", 60)\n')
    shown = (
        "  - lua.test. 300 MX 10 mx.lua.test.\n  - www.lua.test. 300 A 192.0.2.1\n  + www.lua.test. 60 A 192.0.2.2\n"
    )
    dry = run(server, *build, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, f"lua.test: change\n{shown}")
    assert server.dig("www.lua.test", "A", "+short") == "192.0.2.1\n"
    assert run(server, *build, "--zone", "other.test").stdout == ""
    assert run(server, *build, "--zone", "lua.test.").stdout == f"lua.test: change\n{shown}"
    assert server.dig("www.lua.test", "A", "+short") == "192.0.2.2\n"

    file.write_text("a('www', '192.0.2.300')\na('x')\n")
    failed = run(server, *build)
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", "lua.test.lua:2: a: ip is missing\n")
    file.unlink()
    (tmp_path / "kept.test.lua").write_text("a('www', '192.0.2.1')\n")
    assert "lua.test: file removed\n" in run(server, *build).stdout
    pruned = moonbase(server.server.data, "luadns", *build, "--prune")
    assert {each["zone"]: each["action"] for each in pruned} == {"kept.test": "unchanged", "lua.test": "remove"}
    assert server.dig("www.lua.test", "A", "+short") == ""


def test_a_repository_is_set_shown_and_removed(server: Served) -> None:
    server.zone("repository.test")
    account = moonbase(server.server.data, "luadns", "list")[0]["account"]
    shown = moonbase(server.server.data, "luadns", "repository", account, "--uri", "ssh://git@git.example.test/zones")
    assert (shown["repo_uri"], shown["branch"]) == ("ssh://git@git.example.test/zones", None)
    assert shown["deploy_key"].startswith("ssh-ed25519 ")
    assert moonbase(server.server.data, "luadns", "builds", account) == []
    wrong = run(server, "repository", account, "--branch", "main")
    assert (wrong.returncode, "--branch needs --uri" in wrong.stderr) == (2, True)
    assert moonbase(server.server.data, "luadns", "repository", account, "--remove")["repo_uri"] is None
