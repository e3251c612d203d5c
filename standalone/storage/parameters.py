"""The supported parameters of each request. Unsupported parameters are errors; they are never ignored."""

from collections.abc import Mapping
from typing import Any

from standalone.storage.errors import invalid


class Parameters:
    """The names of a request's required and optional parameters."""

    def __init__(self, required: str, optional: str = "") -> None:
        self.required = frozenset(required.split())
        self.supported = self.required.union(optional.split())

    def check(self, where: str, given: Mapping[str, Any]) -> None:
        if unknown := given.keys() - self.supported:
            raise invalid(f"The parameter {min(unknown)} of {where} is not supported here")
        if missing := self.required - given.keys():
            raise invalid(f"The parameter {min(missing)} of {where} is required but was not present in the request")


BINDINGS = "ExpressionAttributeNames ExpressionAttributeValues"
COST = "ReturnConsumedCapacity"
CONDITION = f"ConditionExpression ReturnValuesOnConditionCheckFailure {BINDINGS}"
WRITE = f"{CONDITION} ReturnValues {COST}"
SHAPE = "ProjectionExpression ExpressionAttributeNames"
PAGE = f"IndexName FilterExpression {SHAPE} {BINDINGS} Select Limit ExclusiveStartKey ConsistentRead {COST}"

KEYS = Parameters("Keys", f"ConsistentRead {SHAPE}")
# The single requests in a batch or transaction.
MEMBERS = {
    "BatchWriteItem": {"PutRequest": Parameters("Item"), "DeleteRequest": Parameters("Key")},
    "TransactGetItems": {"Get": Parameters("TableName Key", SHAPE)},
    "TransactWriteItems": {
        "Put": Parameters("TableName Item", CONDITION),
        "Update": Parameters("TableName Key UpdateExpression", CONDITION),
        "Delete": Parameters("TableName Key", CONDITION),
        "ConditionCheck": Parameters("TableName Key ConditionExpression", CONDITION),
    },
}


def member(operation: str, entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the parameters of a single request in a batch or transaction."""
    kinds = MEMBERS[operation]
    if len(entry) != 1 or not entry.keys() <= kinds.keys():
        raise invalid(f"Each request of {operation} must contain exactly one of {', '.join(kinds)}")
    ((kind, params),) = entry.items()
    kinds[kind].check(kind, params)
    return kind, params
