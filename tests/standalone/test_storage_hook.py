"""PynamoDB, unchanged, on the engine."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
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
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactGet, TransactWrite

from standalone.storage import Engine, attach, detach


class ByAuthor(GlobalSecondaryIndex["Post"]):
    class Meta:
        index_name = "by-author"
        projection = AllProjection()

    author = UnicodeAttribute(hash_key=True)
    at = UTCDateTimeAttribute(range_key=True)


class Post(Model):
    class Meta:
        table_name = "posts"
        region = "us-east-1"
        billing_mode = "PAY_PER_REQUEST"

    forum = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    author = UnicodeAttribute(null=True)
    at = UTCDateTimeAttribute(null=True)
    tags = UnicodeSetAttribute(null=True)
    raw = BinaryAttribute(legacy_encoding=False, null=True)
    lines: ListAttribute[Any] = ListAttribute(null=True)
    extra: MapAttribute[Any, Any] = MapAttribute(null=True)
    data = JSONAttribute(null=True)
    version = VersionAttribute()
    by_author = ByAuthor()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "file")
    attach(engine)
    Post.create_table(wait=True)
    yield engine
    detach()
    engine.close()


@pytest.mark.usefixtures("engine")
def test_a_model_comes_back_with_every_type_of_attribute() -> None:
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
    Post("f", 1, **values).save()
    found = Post.get("f", 1)
    assert {name: getattr(found, name) for name in values if name != "extra"} | {
        "extra": found.extra.as_dict()
    } == values
    assert [post.number for post in Post.by_author.query("ann", Post.at >= at)] == [1]


@pytest.mark.usefixtures("engine")
def test_misses_and_conflicts_raise_pynamodbs_errors() -> None:
    with pytest.raises(DoesNotExist):
        Post.get("f", 1)
    first, second = Post("f", 1), Post("f", 1)
    first.save()
    with pytest.raises(PutError) as caught:
        second.save()
    assert caught.value.cause_response_code == "ConditionalCheckFailedException"


@pytest.mark.usefixtures("engine")
def test_pages_batches_and_counts_work() -> None:
    with Post.batch_write() as batch:
        for number in range(60):
            batch.save(Post("f", number))
    assert [post.number for post in Post.query("f", limit=25, page_size=10)] == list(range(25))
    assert Post.count("f", Post.number >= 30) == 30
    assert len(list(Post.batch_get([("f", number) for number in range(60)]))) == 60
    assert len(list(Post.scan(Post.number < 5, page_size=7))) == 5


@pytest.mark.usefixtures("engine")
def test_transactions_give_pynamodb_their_reasons() -> None:
    Post("f", 1).save()
    connection = Connection(region="us-east-1")
    transaction = TransactWrite(connection=connection)
    transaction.save(Post("f", 2))
    with pytest.raises(TransactWriteError) as caught, transaction:
        transaction.save(Post("f", 1))
    none, failed = caught.value.cancellation_reasons
    assert none is None
    assert failed is not None
    assert failed.code == "ConditionalCheckFailed"
    with TransactGet(connection=connection) as reading:
        futures = [reading.get(Post, "f", 1)]
    assert futures[0].get().number == 1


def test_errors_and_metadata_look_as_botocore_makes_them(engine: Engine) -> None:
    session = botocore.session.get_session()
    client = session.create_client("dynamodb", region_name="us-east-1")
    key = {"forum": {"S": "f"}, "number": {"N": "1"}}
    item = {**key, "raw": {"B": b"\x00"}, "set": {"BS": [b"\x01"]}}
    answer = client.put_item(TableName="posts", Item=item)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as caught:
        client.put_item(
            TableName="posts",
            Item=key,
            ConditionExpression="attribute_not_exists(forum)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Item"] == item
    assert caught.value.response["Error"] == {
        "Code": "ConditionalCheckFailedException",
        "Message": "The conditional request failed",
    }
    assert client.describe_table(TableName="posts")["Table"]["CreationDateTime"].tzinfo is not None
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client.list_backups()


def test_once_detached_the_same_client_goes_elsewhere(tmp_path: Path) -> None:
    with mock_aws():
        client = botocore.session.get_session().create_client("dynamodb", region_name="us-east-1")
        engine = Engine(tmp_path / "file")
        attach(engine)
        definition = {"AttributeName": "id", "AttributeType": "S"}
        client.create_table(
            TableName="here",
            AttributeDefinitions=[definition],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        assert client.list_tables()["TableNames"] == ["here"]
        detach()
        assert client.list_tables()["TableNames"] == []
        engine.close()
