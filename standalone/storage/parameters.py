"""Which parameters a request may carry: whatever is not listed is refused by name, never ignored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from standalone.storage.errors import invalid


@dataclass(frozen=True, slots=True)
class Parameters:
    required: frozenset[str]
    optional: frozenset[str]

    def check(self, where: str, given: Mapping[str, Any]) -> None:
        if unknown := given.keys() - self.required - self.optional:
            raise invalid(f"The parameter {min(unknown)} of {where} is not supported here")
        if missing := self.required - given.keys():
            raise invalid(f"The parameter {min(missing)} of {where} is required but was not present in the request")


def parameters(required: str, optional: str = "") -> Parameters:
    return Parameters(frozenset(required.split()), frozenset(optional.split()))


BINDINGS = "ExpressionAttributeNames ExpressionAttributeValues"
COST = "ReturnConsumedCapacity"
CONDITION = f"ConditionExpression ReturnValuesOnConditionCheckFailure {BINDINGS}"
SHAPE = "ProjectionExpression ExpressionAttributeNames"
PAGE = f"IndexName FilterExpression {SHAPE} {BINDINGS} Select Limit ExclusiveStartKey ConsistentRead {COST}"

OPERATION = {
    "CreateTable": parameters(
        "TableName AttributeDefinitions KeySchema",
        "LocalSecondaryIndexes GlobalSecondaryIndexes BillingMode ProvisionedThroughput",
    ),
    "DescribeTable": parameters("TableName"),
    "DeleteTable": parameters("TableName"),
    "ListTables": parameters("", "Limit ExclusiveStartTableName"),
    "UpdateTimeToLive": parameters("TableName TimeToLiveSpecification"),
    "DescribeTimeToLive": parameters("TableName"),
    "GetItem": parameters("TableName Key", f"ConsistentRead {SHAPE} {COST}"),
    "PutItem": parameters("TableName Item", f"{CONDITION} ReturnValues {COST}"),
    "UpdateItem": parameters("TableName Key", f"UpdateExpression {CONDITION} ReturnValues {COST}"),
    "DeleteItem": parameters("TableName Key", f"{CONDITION} ReturnValues {COST}"),
    "Query": parameters("TableName KeyConditionExpression", f"ScanIndexForward {PAGE}"),
    "Scan": parameters("TableName", f"Segment TotalSegments {PAGE}"),
    "BatchGetItem": parameters("RequestItems", COST),
    "BatchWriteItem": parameters("RequestItems", COST),
    "TransactGetItems": parameters("TransactItems", COST),
    "TransactWriteItems": parameters("TransactItems", f"ClientRequestToken {COST}"),
}
# The requests inside those of several items.
MEMBER = {
    "Keys": parameters("Keys", f"ConsistentRead {SHAPE}"),
    "PutRequest": parameters("Item"),
    "DeleteRequest": parameters("Key"),
    "Get": parameters("TableName Key", SHAPE),
    "Put": parameters("TableName Item", CONDITION),
    "Update": parameters("TableName Key UpdateExpression", CONDITION),
    "Delete": parameters("TableName Key", CONDITION),
    "ConditionCheck": parameters("TableName Key ConditionExpression", CONDITION),
}
