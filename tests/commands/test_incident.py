"""A drill for `moonbase incident`: what an attacker holds ends, and the operator sees what was published."""

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from tests.client import multipart
from tests.luarocks.builders import rockspec
from tests.servers import moonbase, serving


def test_a_drill(tmp_path: Path) -> None:
    data, report, content = tmp_path / "data", tmp_path / "published.jsonl", rockspec("say", "1.0-1")
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    with serving(data, "--workers", "1") as server:
        key = server.make_key("mallory")
        older = moonbase(data, "key", "create", "mallory", "--service", "hel")["key"]
        moonbase(data, "two-factor", "enable", "mallory")

        def upload(version: str) -> int:
            body = multipart({}, {"rockspec_file": (f"say-{version}.rockspec", rockspec("say", version))})
            kind = {"Content-Type": "multipart/form-data; boundary=BoundaryQ"}
            try:
                urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/1/{key}/upload", body, kind)).close()
            except urllib.error.HTTPError as error:
                return error.code
            return 200

        assert upload("1.0-1") == 200
        command = ("incident", "--since", started, "--report", str(report), "--second-factors", "--yes")
        assert moonbase(data, *command, "--service", "luarocks") == {
            "read_only": True,
            "accounts": 1,
            "keys_revoked": 1,
            "second_factors_removed": 1,
            "published": 1,
            "report": str(report),
        }
        (event,) = [json.loads(line) for line in report.read_text().splitlines()]
        assert (event["name"], event["actor"], event["address"]) == ("mallory/say", "mallory", "127.0.0.1")
        assert event["files"][0]["size"] == len(content)
        assert upload("1.1-1") in (401, 403, 503)
        moonbase(data, "read-only", "off")
        time.sleep(3.5)  # until the process of the server notices
        assert upload("1.1-1") in (401, 403)
        assert [row["revoked"] for row in moonbase(data, "key", "list", "mallory")] == [True, False]
        again = moonbase(data, *command)
        assert (again["keys_revoked"], again["second_factors_removed"], again["published"]) == (1, 0, 1)
        assert older.startswith("moon")
