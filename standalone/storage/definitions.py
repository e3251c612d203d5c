"""CreateTable, DescribeTable, DeleteTable, ListTables, UpdateTimeToLive and DescribeTimeToLive."""

import re
from datetime import UTC, datetime
from typing import Any

from standalone.storage.database import Database, Store
from standalone.storage.errors import DynamoError, check_range, invalid
from standalone.storage.tables import GLOBAL, LOCAL, TableDefinition, indexes_of, key_names

TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
MAX_INDEXES = {GLOBAL: 20, LOCAL: 5}


def create_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    check_definition(params)
    with database.writing(durable=True) as store:
        name = params["TableName"]
        if name in store.tables():
            raise DynamoError("ResourceInUseException", f"Table already exists: {name}")
        table = store.define({**params, "CreationDateTime": datetime.now(UTC).isoformat()})
        return {"TableDescription": describe(store, table)}


def describe_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.reading() as store:
        return {"Table": describe(store, store.table(params["TableName"]))}


def delete_table(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.writing(durable=True) as store:
        table = store.table(params["TableName"])
        description = describe(store, table) | {"TableStatus": "DELETING"}
        store.drop(table)
    return {"TableDescription": description}


def list_tables(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    limit, start = params.get("Limit", 100), params.get("ExclusiveStartTableName", "")
    check_range("limit", limit, 1, 100)
    with database.reading() as store:
        names = [name for name in store.tables() if name > start]
    rest = {"LastEvaluatedTableName": names[limit - 1]} if len(names) > limit else {}
    return {"TableNames": names[:limit], **rest}


def update_time_to_live(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    specification = params["TimeToLiveSpecification"]
    name, enabled = specification["AttributeName"], specification["Enabled"]
    with database.writing(durable=True) as store:
        table = store.table(params["TableName"])
        current = table.definition.get("TimeToLive")
        if enabled == (current is not None):
            raise invalid(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
        if not enabled and name != current:
            raise invalid(f"TimeToLive is active on a different AttributeName: current AttributeName is {current}")
        store.set_time_to_live(table, name if enabled else None)
    return {"TimeToLiveSpecification": specification}


def describe_time_to_live(database: Database, params: dict[str, Any]) -> dict[str, Any]:
    with database.reading() as store:
        name = store.table(params["TableName"]).definition.get("TimeToLive")
    status = {"TimeToLiveStatus": "ENABLED", "AttributeName": name} if name else {"TimeToLiveStatus": "DISABLED"}
    return {"TimeToLiveDescription": status}


def describe(store: Store, table: TableDefinition) -> dict[str, Any]:
    """Describe a table. The item count is current; AWS updates it every six hours."""
    definition = table.definition
    arn = f"arn:aws:dynamodb:local:000000000000:table/{table.name}"
    description = {name: definition[name] for name in ("TableName", "AttributeDefinitions", "KeySchema")} | {
        "TableStatus": "ACTIVE",
        "CreationDateTime": datetime.fromisoformat(definition["CreationDateTime"]),
        "TableArn": arn,
        "BillingModeSummary": {"BillingMode": definition["BillingMode"]},
        "ItemCount": store.count(table.primary),
    }
    for kind, index in indexes_of(definition):
        name = index["IndexName"]
        shown = {**index, "IndexArn": f"{arn}/index/{name}", "ItemCount": store.count(table.indexes[name])}
        status = {"IndexStatus": "ACTIVE"} if kind == GLOBAL else {}
        description.setdefault(kind, []).append({**shown, **status})
    return description


def check_definition(definition: dict[str, Any]) -> None:
    """Raise for an invalid definition, and for unsupported ones: partial indexes, other billing modes."""
    if not TABLE_NAME.fullmatch(definition["TableName"]):
        raise invalid(f"The tableName {definition['TableName']} is not of 3 to 255 characters [a-zA-Z0-9_.-]")
    if definition["BillingMode"] != "PAY_PER_REQUEST":
        raise invalid(f"The BillingMode {definition['BillingMode']} is not supported here")
    types = {one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]}
    indexes = [index for _, index in indexes_of(definition)]
    if not {"S", "N", "B"}.issuperset(types.values()):
        raise invalid(f"A key's attributeType is S, N or B, not one of {types}")
    if len({index["IndexName"] for index in indexes}) < len(indexes):
        raise invalid("Duplicate index name")
    for kind, limit in MAX_INDEXES.items():
        if len(definition.get(kind, ())) > limit:
            raise invalid(f"More than {limit} {kind}")
    for index in definition.get(LOCAL, ()):
        if key_names(index)[:-1] != key_names(definition)[:1]:
            raise invalid("A local index has the table's HASH key and a RANGE key of its own")
    used: set[str] = set()
    for schema in (definition, *indexes):
        kinds, names = [element["KeyType"] for element in schema["KeySchema"]], key_names(schema)
        if kinds != ["HASH", "RANGE"][: len(kinds)] or not kinds or len(set(names)) < len(names):
            raise invalid("Invalid KeySchema: it is a HASH key and perhaps a RANGE key of another name")
        used.update(names)
    if used != types.keys():
        raise invalid(
            f"AttributeDefinitions must be those of all keys, and of them only: {sorted(used ^ types.keys())}"
        )
    for index in indexes:
        if index.keys() != {"IndexName", "KeySchema", "Projection"} or index["Projection"] != {"ProjectionType": "ALL"}:
            raise invalid("An index with more than IndexName, KeySchema and ProjectionType ALL is not supported here")
