"""Records the actions of the audit log that tests write. Actions of tests themselves begin with `test`."""

from chalicelib.core import registry
from tests.aws_calls import AwsCall

_recorded: set[str] = set()


def record_call(call: AwsCall) -> None:
    """Record the actions of the entries in a transaction."""
    if call.operation == "TransactWriteItems":
        for write in call.parameters["TransactItems"]:
            item = write.get("Put", {}).get("Item", {})
            if item.get("kind") == {"S": "audit"}:
                _recorded.add(item["action"]["S"])


def drain() -> set[str]:
    """Return the recorded actions, and forget them."""
    found = set(_recorded)
    _recorded.clear()
    return found


def without_phrase(found: set[str]) -> set[str]:
    """The actions for which no slice declares a phrase."""
    return {action for action in found if not action.startswith("test") and action not in registry.current().phrases}
