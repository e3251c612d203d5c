"""Durability and isolation of the storage engine with threads, processes and kill -9."""

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine
from standalone.storage.database import FORMAT

ROOT = Path(__file__).parents[2]
CHILD = """
import sys
from pathlib import Path
from standalone.storage import Engine

engine = Engine(Path(sys.argv[1]))
"""
COUNT = """
request = {"TableName": "things", "Key": {"id": {"S": "counter"}}, "UpdateExpression": "ADD n :one",
           "ExpressionAttributeValues": {":one": {"N": "1"}}}
for _ in range(100):
    engine.execute("UpdateItem", request)
"""
WRITE_FOREVER = """
number = 0
while True:
    item = {"id": {"S": str(number)}, "group": {"S": "g"}}
    engine.execute("TransactWriteItems", {"TransactItems": [
        {"Put": {"TableName": "things", "Item": item}},
        {"Put": {"TableName": "things", "Item": {"id": {"S": f"twin of {number}"}}}},
    ]})
    print(number, flush=True)
    number += 1
"""


PUT_LARGE = """
import resource
from standalone.storage import DynamoError

resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
answers = []
for number in range(12):
    puts = [{"Put": {"TableName": "things", "Item": {"id": {"S": f"{half} {number}"}, "x": {"S": "x" * 50_000}}}}
            for half in ("one", "other")]
    try:
        engine.execute("TransactWriteItems", {"TransactItems": puts})
        answers.append("written")
    except DynamoError as error:
        answers.append(error.code)
print(answers)
"""


def child(body: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD + body, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def create(engine: Engine) -> None:
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "group")]
    index = {
        "IndexName": "groups",
        "KeySchema": [{"AttributeName": "group", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    engine.execute(
        "CreateTable",
        {
            "TableName": "things",
            "AttributeDefinitions": definitions,
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [index],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )


def get(engine: Engine, name: str) -> dict[str, Any] | None:
    return engine.execute("GetItem", {"TableName": "things", "Key": {"id": {"S": name}}}).get("Item")


def test_tables_and_items_survive_a_restart(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    item = {"id": {"S": "a"}, "n": {"N": "1"}}
    engine.execute("PutItem", {"TableName": "things", "Item": item})
    engine.close()
    engine = Engine(tmp_path / "file")
    assert get(engine, "a") == item
    engine.close()


def test_acknowledged_writes_survive_kill_9_completely(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    engine.close()
    with child(WRITE_FOREVER, tmp_path / "file") as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(200)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    engine = Engine(tmp_path / "file")
    for number in acknowledged:
        assert get(engine, str(number)) is not None
        assert get(engine, f"twin of {number}") is not None
    whole = engine.execute("Scan", {"TableName": "things", "Select": "COUNT"})["Count"]
    grouped = engine.execute("Scan", {"TableName": "things", "IndexName": "groups", "Select": "COUNT"})["Count"]
    assert whole == 2 * grouped >= 2 * len(acknowledged)
    engine.close()


def test_only_transactions_wait_for_the_disk(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    put = {"TableName": "things", "Item": {"id": {"S": "a"}}}

    def synchronous() -> int:
        (connection,) = engine.database.pool
        number: int = connection.execute("PRAGMA synchronous").fetchone()[0]
        return number

    engine.execute("PutItem", put)
    assert synchronous() == 1  # NORMAL
    engine.execute("TransactWriteItems", {"TransactItems": [{"Put": put}]})
    assert synchronous() == 2  # FULL
    engine.close()


def test_four_processes_lose_no_increment(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    for process in [child(COUNT, tmp_path / "file") for _ in range(4)]:
        process.communicate()
        assert process.returncode == 0
    assert get(engine, "counter") == {"id": {"S": "counter"}, "n": {"N": "400"}}
    engine.close()


def test_four_processes_can_create_the_file_concurrently(tmp_path: Path) -> None:
    for process in [child("print(engine.execute('ListTables', {}))", tmp_path / "file") for _ in range(4)]:
        output, _ = process.communicate()
        assert json.loads(output.replace("'", '"')) == {"TableNames": []}


def test_only_one_of_eight_conditional_creates_succeeds(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)

    def claim(winner: int, name: str) -> bool:
        request = {
            "TableName": "things",
            "Item": {"id": {"S": name}, "winner": {"N": str(winner)}},
            "ConditionExpression": "attribute_not_exists(id)",
        }
        try:
            engine.execute("PutItem", request)
        except DynamoError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        for round_ in range(20):
            won = list(threads.map(claim, range(8), [f"round {round_}"] * 8))
            assert won.count(True) == 1
            assert get(engine, f"round {round_}") == {
                "id": {"S": f"round {round_}"},
                "winner": {"N": str(won.index(True))},
            }
    engine.close()


def test_threads_lose_no_increment(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    request = {
        "TableName": "things",
        "Key": {"id": {"S": "counter"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(engine.execute, "UpdateItem", request) for _ in range(400)]:
            done.result()
    assert get(engine, "counter") == {"id": {"S": "counter"}, "n": {"N": "400"}}
    engine.close()


def test_a_closed_engine_raises(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    engine.close()
    with pytest.raises(Exception, match="closed"):
        engine.execute("ListTables", {})


def test_a_full_disk_fails_writes_without_partial_changes(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    output, _ = child(PUT_LARGE, tmp_path / "file").communicate()
    answers = json.loads(output.replace("'", '"'))
    assert answers[0] == "written"
    assert answers[-1] == "DiskFull"
    for number, answer in enumerate(answers):
        halves = [get(engine, f"{half} {number}") is not None for half in ("one", "other")]
        assert halves == [answer == "written"] * 2
    engine.execute("PutItem", {"TableName": "things", "Item": {"id": {"S": "after"}}})
    assert get(engine, "after") == {"id": {"S": "after"}}
    engine.close()


def test_a_file_locked_for_too_long_is_throttling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("standalone.storage.database.BUSY_SECONDS", 0.05)
    engine = Engine(tmp_path / "file")
    holder = sqlite3.connect(tmp_path / "file", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DynamoError, match="ThrottlingException"):
        create(engine)
    holder.close()
    create(engine)
    engine.close()


@pytest.mark.parametrize(
    ("format_", "reason"),
    [
        (FORMAT + 1, "was written by a newer version of Moonbase than this one"),
        (12, "was not written by a version of Moonbase that this one understands"),
    ],
)
def test_a_file_with_another_layout_is_rejected_and_not_changed(tmp_path: Path, format_: int, reason: str) -> None:
    Engine(tmp_path / "file").close()
    with sqlite3.connect(tmp_path / "file") as db:
        db.execute(f"PRAGMA application_id = {format_}")
    before = (tmp_path / "file").read_bytes()
    with pytest.raises(OSError, match=f"file {reason}"):
        Engine(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "reason"), [("none/file", "unable to open"), ("directory", "unable to open"), ("text", "not a database")]
)
def test_an_unusable_file_is_an_oserror(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "text").write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(OSError, match=f"{tmp_path / name} cannot be used: .*{reason}"):
        Engine(tmp_path / name)
