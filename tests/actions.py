"""Records the actions of the audit log for which no slice declares a phrase. Those of tests begin with `test`."""

from chalicelib.core import registry
from tests.aws_calls import AwsCall

_without_phrase: set[str] = set()


def record_call(call: AwsCall) -> None:
    """Record the actions without a phrase of the entries in a transaction."""
    if call.operation == "TransactWriteItems":
        for write in call.parameters["TransactItems"]:
            item = write.get("Put", {}).get("Item", {})
            if item.get("kind") == {"S": "audit"}:
                _check(item["action"]["S"])


def drain() -> set[str]:
    """Return the recorded actions, and forget them."""
    found = set(_without_phrase)
    _without_phrase.clear()
    return found


def _check(action: str) -> None:
    if not action.startswith("test") and action not in registry.current().phrases:
        _without_phrase.add(action)
