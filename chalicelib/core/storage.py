"""PynamoDB as we use it: one connection for all tables, one base class of items, transactions with named errors."""

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as ConnectionFailed
from pynamodb.attributes import Attribute, TTLAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.constants import ALL_NEW, ALL_OLD, ITEM, RETURN_VALUES, TABLE_NAME, UPDATE_ITEM
from pynamodb.exceptions import TransactWriteError, UpdateError, VerboseClientError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib import settings
from chalicelib.core import transport
from chalicelib.core.errors import Busy, CoreError


class _Connection(Connection):
    """PynamoDB's connection over the installed transport, or over botocore.

    Raises Busy for every operation that DynamoDB throttles or fails to execute, or that does not reach it.
    """

    @property
    def client(self) -> Any:
        """The object whose `_make_api_call` executes an operation; PynamoDB converts its errors."""
        installed = transport.current()
        return SimpleNamespace(_make_api_call=installed) if installed else super().client

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Execute an operation, without the consumed capacity and the signals of PynamoDB: no code reads them."""
        try:
            return cast(dict[str, Any], self._make_api_call(operation_name, operation_kwargs))
        except VerboseClientError as error:
            if error.response["Error"]["Code"] in _THROTTLING:
                raise _busy() from error
            raise
        except (ConnectionFailed, HTTPClientError) as error:
            raise _busy() from error


_shared = _Connection(region=settings.current().region)
_sharing = threading.Lock()

_LONGEST_PK, _LONGEST_SK = 2048, 1024  # bytes, DynamoDB's limits

_Self = TypeVar("_Self", bound="Item")


def table_name(service: str) -> str:
    """The name of one service's table in this installation."""
    return f"{settings.current().tables}-{service}"


class Item(Model):
    """An item of any of our tables: two string keys, and an optional time of expiry.

    Attributes that newer code stored, and this code does not know, are written back with a whole item.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    expires_at = TTLAttribute(null=True)
    _unknown: Mapping[str, Any] = {}

    @classmethod
    def _instantiate(cls: type[_Self], attribute_values: dict[str, Any]) -> _Self:
        item = super()._instantiate(attribute_values)
        if unknown := attribute_values.keys() - _names(type(item)):
            item._unknown = {name: attribute_values[name] for name in unknown}
        return item

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        """The item as it is stored."""
        return {**super().serialize(null_check), **self._unknown}

    @classmethod
    def _get_connection(cls) -> TableConnection:
        """Share one connection between all tables: PynamoDB makes a client per model, at 60 ms of cold start each."""
        table = super()._get_connection()
        if table.connection is not _shared:
            with _sharing:
                if table.table_name not in _shared._tables:
                    _shared.add_meta_table(table.get_meta_table())
                table.connection = _shared
        return table

    @classmethod
    def extend(cls, name: str, attribute: Attribute[Any]) -> None:
        """Add an attribute of a slice to this model. Safe to repeat."""
        attribute.__set_name__(cls, name)
        setattr(cls, name, attribute)
        cls.get_attributes()[name] = attribute

    @classmethod
    def find(cls: type[_Self], pk: str, sk: str) -> _Self | None:
        """Read one item, strongly consistent; None when there is none, or can be none under such a key."""
        if not (0 < len(pk.encode()) <= _LONGEST_PK and 0 < len(sk.encode()) <= _LONGEST_SK):
            return None
        try:
            return cls.get(pk, sk, consistent_read=True)
        except cls.DoesNotExist:
            return None

    def assign(self, **values: Any) -> list[Action]:
        """Set attributes of this object; return the actions that do the same to the stored item."""
        actions: list[Action] = []
        for name, value in values.items():
            setattr(self, name, value)
            attribute = getattr(type(self), name)
            actions.append(attribute.remove() if value is None else attribute.set(value))
        return actions

    def update_or_read(
        self: _Self, actions: Sequence[Action], condition: Condition | None = None
    ) -> tuple[bool, _Self | None]:
        """Update the item if `condition` holds (None: always), and return the item in either case, in one call.

        Returns (whether it was updated, the stored item or None). PynamoDB's own `update` drops the item that DynamoDB
        returns with a failed condition.
        """
        request = self.get_update_kwargs_from_instance(
            actions=[*actions], condition=condition, return_values_on_condition_failure=ALL_OLD
        )
        request[RETURN_VALUES] = ALL_NEW
        try:
            answer = self._get_connection().connection.dispatch(UPDATE_ITEM, request)
            return True, type(self).from_raw_data(answer["Attributes"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _CONTENTION:
                raise _busy() from error
            if code != "ConditionalCheckFailedException":
                raise UpdateError("Failed to update item", cast(VerboseClientError, error)) from error
            refused = cast(ClientError, error.__cause__).response.get("Item")
            return False, type(self).from_raw_data(refused) if refused else None


@cache
def _names(model: type[Item]) -> frozenset[str]:
    """The names by which a model's attributes are stored."""
    return frozenset(attribute.attr_name for attribute in model.get_attributes().values())


class Contended(Busy):
    """Another process changed the same item at the same time; the decision must be repeated."""


class Transaction:
    """Writes that are committed together or not at all.

    Each write can have a condition and, as `otherwise`, the error to raise if the condition does not hold. The default
    is `Contended`: another process changed the item first.
    """

    def __init__(self) -> None:
        self._write = TransactWrite(connection=_shared, client_request_token=uuid.uuid4().hex)
        self._otherwise: dict[str, list[CoreError | None]] = {"delete": [], "put": [], "update": []}
        self._then: dict[Callable[[], object], None] = {}
        self._put_once: set[tuple[str, str]] = set()
        self._on_refusal: list[Callable[[], object]] = []

    def delete(self, item: Item, condition: Condition | None = None, otherwise: CoreError | None = None) -> None:
        """Remove an item."""
        self._otherwise["delete"].append(otherwise)
        self._write.delete(item, condition=condition)

    def put(self, item: Item, condition: Condition | None = None, otherwise: CoreError | None = None) -> None:
        """Write a whole item."""
        self._otherwise["put"].append(otherwise)
        self._write.save(item, condition=condition)

    def put_once(self, item: Item) -> None:
        """Write a whole item, unless this method has added one with its keys: a transaction writes no item twice."""
        if (item.pk, item.sk) not in self._put_once:
            self._put_once.add((item.pk, item.sk))
            self.put(item)

    def replay(self, model: type[Item], put: Mapping[str, Any]) -> None:
        """Write a whole item from the form in which it is stored, without an object for it."""
        self._otherwise["put"].append(None)
        self._write._put_items.append({TABLE_NAME: model.Meta.table_name, ITEM: put})

    def create(self, item: Item, otherwise: CoreError | None = None) -> None:
        """Write an item that must not exist yet."""
        self.put(item, type(item).pk.does_not_exist(), otherwise)

    def update(
        self,
        item: Item,
        actions: Sequence[Action],
        condition: Condition | None = None,
        otherwise: CoreError | None = None,
    ) -> None:
        """Change some attributes of an item, of which only the keys need be set."""
        self._otherwise["update"].append(otherwise)
        self._write.update(item, actions=[*actions], condition=condition)

    def then(self, action: Callable[[], object]) -> None:
        """Call `action` once after the commit, even if it is added several times."""
        self._then[action] = None

    def on_refusal(self, action: Callable[[], object]) -> None:
        """Call `action` if a condition fails, or if DynamoDB cancels the transaction for another reason.

        It is not called after an error that leaves open whether the transaction was committed.
        """
        self._on_refusal.append(action)

    def commit(self) -> None:
        """Write everything. Raises the `otherwise` of a failed condition, Contended, or Busy if DynamoDB is busy."""
        try:
            self._write._commit()
        except TransactWriteError as error:
            if error.cause_response_code == "TransactionCanceledException":
                for action in self._on_refusal:
                    action()
            raise self._refusal(error) from error
        for action in self._then:
            action()

    def _refusal(self, error: TransactWriteError) -> Exception:
        """The error for a cancelled transaction. PynamoDB sends the writes in the order delete, put, update."""
        if error.cause_response_code in _CONTENTION:
            return _contended()
        if error.cause_response_code != "TransactionCanceledException":
            return error
        in_order = [otherwise for group in self._otherwise.values() for otherwise in group]
        failed = [
            (reason.code, otherwise)
            for reason, otherwise in zip(error.cancellation_reasons, in_order, strict=True)
            if reason is not None
        ]
        codes = {code for code, _ in failed}
        if not codes <= _CONTENTION | _THROTTLING:
            return error
        if codes & _THROTTLING:
            return _busy()
        named = [otherwise for code, otherwise in failed if code == _FAILED and otherwise]
        if len(named) == len(failed):
            return named[0]
        return _contended()


def _busy() -> Busy:
    return Busy("The database is busy.", retry_after=1)


def _contended() -> Contended:
    return Contended("Another request is changing the same data.", retry_after=1)


_FAILED = "ConditionalCheckFailed"
_CONTENTION = {_FAILED, "TransactionConflict", "TransactionConflictException"}
_THROTTLING = {
    "InternalServerError",  # an error of DynamoDB; on one machine a full or missing disk
    "ThrottlingError",
    "ThrottlingException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "TransactionInProgressException",  # it may still succeed, so the decision must not be repeated
}


def create_tables(models: Iterable[type[Model]]) -> None:
    """Create the missing tables. On AWS the stack creates them."""
    for model in models:
        if not model.exists():
            model.create_table(wait=True, billing_mode="PAY_PER_REQUEST")
