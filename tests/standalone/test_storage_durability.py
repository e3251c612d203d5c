"""What was acknowledged stays, and what happens at once happens once: over threads, processes and kill -9."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from standalone.storage import DynamoError, Engine

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


def test_everything_acknowledged_before_kill_9_is_there_and_whole(tmp_path: Path) -> None:
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


def test_four_processes_lose_no_increment(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    create(engine)
    for process in [child(COUNT, tmp_path / "file") for _ in range(4)]:
        process.communicate()
        assert process.returncode == 0
    assert get(engine, "counter") == {"id": {"S": "counter"}, "n": {"N": "400"}}
    engine.close()


def test_four_processes_may_create_the_file_together(tmp_path: Path) -> None:
    for process in [child("print(engine.execute('ListTables', {}))", tmp_path / "file") for _ in range(4)]:
        output, _ = process.communicate()
        assert json.loads(output.replace("'", '"')) == {"TableNames": []}


def test_of_eight_conditional_creates_one_wins(tmp_path: Path) -> None:
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


def test_a_closed_engine_refuses_to_answer(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "file")
    engine.close()
    with pytest.raises(Exception, match="closed"):
        engine.execute("ListTables", {})
