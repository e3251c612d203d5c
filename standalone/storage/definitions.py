"""CreateTable, DescribeTable, DeleteTable and ListTables."""

import re
import sqlite3
import time
from typing import Any

import orjson

from standalone.storage.database import Database, definitions_changed, drop_rows
from standalone.storage.errors import DynamoError, invalid, invalid_value
from standalone.storage.tables import Relation, Table, key_names

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
INDEX_LISTS = {"LocalSecondaryIndexes": 5, "GlobalSecondaryIndexes": 20}
KEPT = ("TableName", "AttributeDefinitions", "KeySchema", *INDEX_LISTS, "BillingMode", "ProvisionedThroughput")


def create_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    definition = {name: params[name] for name in KEPT if params.get(name)} | {"CreationDateTime": time.time()}
    check_definition(definition)
    name = definition["TableName"]
    with database.writing() as db:
        if name in database.all_tables(db):
            raise DynamoError("ResourceInUseException", f"Table already exists: {name}")
        body = orjson.dumps(definition)
        db.execute("INSERT INTO definitions (name, definition) VALUES (?, ?)", (name, body))
        definitions_changed(db)
        return {"TableDescription": describe(db, database.table(db, name))}


def describe_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.snapshot() as db:
        return {"Table": describe(db, database.table(db, params["TableName"]))}


def delete_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.writing() as db:
        table = database.table(db, params["TableName"])
        description = describe(db, table) | {"TableStatus": "DELETING"}
        drop_rows(db, table)
        db.execute("DELETE FROM definitions WHERE id = ?", (table.id,))
        definitions_changed(db)
    return {"TableDescription": description}


def list_tables(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    limit, start = params.get("Limit", 100), params.get("ExclusiveStartTableName", "")
    with database.reading() as db:
        names = [name for name in database.all_tables(db) if name > start]
    rest = {"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {}
    return {"TableNames": names[:limit], **rest}


def describe(db: sqlite3.Connection, table: Table) -> dict[str, Any]:
    arn = f"arn:aws:dynamodb:local:000000000000:table/{table.name}"
    description = {name: table.definition[name] for name in KEPT[:3]}
    description |= {
        "TableStatus": "ACTIVE",
        "CreationDateTime": table.definition["CreationDateTime"],
        "TableArn": arn,
        "TableId": f"{table.id:032x}",
        "ProvisionedThroughput": throughput(table.definition),
        **contents(db, table.primary),
    }
    if table.definition.get("BillingMode") == "PAY_PER_REQUEST":
        description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    for parameter in INDEX_LISTS:
        if indexes := table.definition.get(parameter):
            description[parameter] = [describe_index(db, table, arn, index) for index in indexes]
    return description


def describe_index(db: sqlite3.Connection, table: Table, arn: str, index: dict[str, Any]) -> dict[str, Any]:
    relation = table.indexes[index["IndexName"]]
    description = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    if relation.kind == "global":
        description |= {"IndexStatus": "ACTIVE", "ProvisionedThroughput": throughput(index)}
    return description | {"IndexArn": f"{arn}/index/{relation.name}", **contents(db, relation)}


def throughput(definition: Any) -> dict[str, int]:
    given = definition.get("ProvisionedThroughput") or {}
    names = ("NumberOfDecreasesToday", "ReadCapacityUnits", "WriteCapacityUnits")
    return {name: given.get(name, 0) for name in names}


def contents(db: sqlite3.Connection, relation: Relation) -> dict[str, int]:
    """Counted now, where AWS counts every six hours; an index is charged with its items' full size."""
    count, size = db.execute(
        "SELECT count(*), total(size) FROM entries JOIN items ON items.id = item WHERE relation = ?",
        (relation.number,),
    ).fetchone()
    if relation.kind == "table":
        return {"ItemCount": count, "TableSizeBytes": int(size)}
    return {"ItemCount": count, "IndexSizeBytes": int(size)}


def check_definition(definition: dict[str, Any]) -> None:
    if not TABLE_NAME.fullmatch(definition["TableName"]):
        raise invalid(
            f"1 validation error detected: Value '{definition['TableName']}' at 'tableName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+, of 3 to 255 characters"
        )
    types = {one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]}
    if unknown := set(types.values()) - {"S", "N", "B"}:
        raise invalid(
            f"1 validation error detected: Value '{unknown.pop()}' at 'attributeDefinitions.attributeType' failed to "
            "satisfy constraint: Member must satisfy enum value set: [B, N, S]"
        )
    used = check_schema(definition, types)
    for parameter, most in INDEX_LISTS.items():
        used |= check_indexes(parameter, most, definition, types)
    if unused := set(types) - used:
        raise invalid_value(
            "Some AttributeDefinitions are not used. AttributeDefinitions: "
            f"[{', '.join(sorted(types))}], unused: [{', '.join(sorted(unused))}]"
        )


def check_schema(schema: dict[str, Any], types: dict[str, str]) -> set[str]:
    kinds = [element["KeyType"] for element in schema["KeySchema"]]
    names = [element["AttributeName"] for element in schema["KeySchema"]]
    if kinds not in (["HASH"], ["HASH", "RANGE"]):
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type, or the second not RANGE")
    if len(set(names)) < len(names):
        raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if missing := [name for name in names if name not in types]:
        raise invalid_value(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(missing)}], AttributeDefinitions: [{', '.join(sorted(types))}]"
        )
    return set(names)


def check_indexes(parameter: str, most: int, definition: dict[str, Any], types: dict[str, str]) -> set[str]:
    indexes = definition.get(parameter, [])
    if len(indexes) > most:
        raise invalid_value(f"{parameter} count exceeds the per-table limit of {most}")
    names = [index["IndexName"] for kind in INDEX_LISTS for index in definition.get(kind, [])]
    if len(set(names)) < len(names):
        raise invalid_value("Duplicate index name")
    used: set[str] = set()
    for index in indexes:
        used |= check_schema(index, types)
        check_projection(index)
        if parameter == "LocalSecondaryIndexes":
            check_local(index, definition)
    return used


def check_projection(index: dict[str, Any]) -> None:
    projection = index.get("Projection", {})
    kind, extra = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind not in ("ALL", "KEYS_ONLY", "INCLUDE"):
        raise invalid_value(f"Unknown ProjectionType: {kind}")
    if (kind == "INCLUDE") != bool(extra):
        raise invalid_value(f"ProjectionType is {kind}, but NonKeyAttributes is {'' if extra else 'not '}specified")


def check_local(index: dict[str, Any], definition: dict[str, Any]) -> None:
    hash_key, range_key = key_names(index)
    if key_names(definition)[1] is None:
        raise invalid_value(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    if hash_key != key_names(definition)[0] or range_key is None:
        raise invalid_value(
            "Index KeySchema of a LocalSecondaryIndex must have a range key, and the table's own hash key; "
            f"index: {index['IndexName']}"
        )
