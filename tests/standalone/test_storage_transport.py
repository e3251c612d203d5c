"""Unmodified PynamoDB on the engine: all types of attributes, all operations, and PynamoDB's errors."""

import datetime
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pynamodb.attributes import (
    BinaryAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.exceptions import DoesNotExist, PutError, TableDoesNotExist, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.transactions import TransactGet, TransactWrite

from chalicelib.core import storage, transport
from standalone.storage import Engine, local_transport


class ByAuthor(GlobalSecondaryIndex["Post"]):
    class Meta:
        index_name = "by-author"
        projection = AllProjection()

    author = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)


class Post(storage.Item):
    class Meta:
        table_name = "posts"
        region = "us-east-1"

    author = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    at = UTCDateTimeAttribute(null=True)
    tags = UnicodeSetAttribute(null=True)
    raw = BinaryAttribute(legacy_encoding=False, null=True)
    lines: ListAttribute[Any] = ListAttribute(null=True)
    extra: MapAttribute[Any, Any] = MapAttribute(null=True)
    data = JSONAttribute(null=True)
    version = VersionAttribute()
    by_author = ByAuthor()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[transport.Transport]:
    """The transport of an engine with a table; PynamoDB uses it."""
    with closing(Engine(tmp_path / "file")) as engine, transport.override(local_transport(engine)):
        storage.create_tables([Post])
        found = transport.current()
        assert found
        yield found


def post(number: int, **values: Any) -> Post:
    return Post("f", f"{number:03}", number=number, **values)


@pytest.mark.usefixtures("local")
def test_all_types_of_attributes_are_returned_unchanged() -> None:
    at = datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)
    values = {
        "author": "ann",
        "at": at,
        "tags": {"a", "b"},
        "raw": b"\x00\xff",
        "lines": ["x", 1, b"\x01"],
        "extra": {"k": b"\x02"},
        "data": {"deep": [1]},
    }
    post(10, **values).save()
    post(9, author="ann").save()
    found = Post.get("f", "010")
    assert {name: getattr(found, name) for name in values if name != "extra"} | {
        "extra": found.extra.as_dict()
    } == values
    assert [one.number for one in Post.by_author.query("ann", Post.number > 8)] == [9, 10]


@pytest.mark.usefixtures("local")
def test_missing_items_and_failed_conditions_raise_pynamodbs_errors() -> None:
    with pytest.raises(DoesNotExist):
        Post.get("f", "001")
    first, second = post(1), post(1)
    first.save()
    with pytest.raises(PutError) as caught:
        second.save()
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"
    Post.delete_table()
    assert not Post.exists()
    with pytest.raises(TableDoesNotExist):
        Post.describe_table()


@pytest.mark.usefixtures("local")
def test_pages_batches_and_counts_work() -> None:
    with Post.batch_write() as batch:
        for number in range(60):
            batch.save(post(number))
    assert [one.number for one in Post.query("f", limit=25, page_size=10)] == list(range(25))
    assert Post.count("f", Post.sk >= "030") == 30
    assert len(list(Post.batch_get([("f", f"{number:03}") for number in range(60)]))) == 60
    assert len(list(Post.scan(Post.number < 5, page_size=7))) == 5


@pytest.mark.usefixtures("local")
def test_a_cancelled_transaction_has_its_reasons() -> None:
    post(1).save()
    writing = TransactWrite(connection=storage._shared)
    writing.save(post(2))
    with pytest.raises(TransactWriteError) as caught, writing:
        writing.save(post(1))
    none, failed = caught.value.cancellation_reasons
    assert none is None
    assert failed is not None
    assert failed.code == "ConditionalCheckFailed"
    with TransactGet(connection=storage._shared) as reading:
        futures = [reading.get(Post, "f", "001")]
    assert futures[0].get().number == 1


def test_an_error_is_botocores_with_the_response_of_dynamodb(local: transport.Transport) -> None:
    key = {"pk": {"S": "f"}, "sk": {"S": "1"}}
    item = {**key, "raw": {"B": b"\x00"}, "set": {"BS": [b"\x01"]}}
    local("PutItem", {"TableName": "posts", "Item": item})
    assert local("GetItem", {"TableName": "posts", "Key": key}) == {"Item": item}
    condition = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(ClientError) as caught:
        local("PutItem", {"TableName": "posts", "Item": key, **condition})
    error = {"Code": "ConditionalCheckFailedException", "Message": "The conditional request failed"}
    assert (caught.value.operation_name, caught.value.response) == ("PutItem", {"Error": error, "Item": item})
    assert local("DescribeTable", {"TableName": "posts"})["Table"]["CreationDateTime"].tzinfo is not None
    with pytest.raises(ClientError, match="UnknownOperationException"):
        local("ListBackups", {})


@pytest.mark.usefixtures("local")
def test_no_botocore_client_is_created() -> None:
    """Creating one would take longer at a server's start than creating all tables."""
    connection = storage._Connection(region="us-east-1")
    assert connection.list_tables() == {"TableNames": ["posts"]}
    assert connection._client is None


def test_without_a_transport_botocore_is_used_again(local: transport.Transport) -> None:
    with mock_aws(), transport.override(None):
        assert not Post.exists()
        storage.create_tables([Post])
        post(1).save()
    assert (Post.exists(), list(Post.scan())) == (True, [])
