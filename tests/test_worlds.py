"""The worlds in which tests run: each test gets an empty one."""

from pathlib import Path

import pytest

from chalicelib.core import aws, blobs, ids, registry
from tests.people import register
from tests.worlds import EMBEDDED, MOTO, WORLDS, world


@pytest.mark.parametrize("kind", WORLDS)
def test_a_world_is_empty_after_another_was_used(kind: str, tmp_path: Path) -> None:
    for name in "ab":
        directory = tmp_path / name
        directory.mkdir()
        with world(kind, directory):
            assert [item for model in registry.current().models for item in model.scan()] == []
            assert list(blobs.list_blobs()) == []
            assert register("Alice", "alice@example.org", "wonderland").id == 1
            assert ids.reserve("luarocks-version") == 1
            blobs.put(b"x", "luarocks")


def test_queues_and_hosted_zones_are_deleted_with_their_world(tmp_path: Path) -> None:
    for _ in range(2):
        with world(MOTO, tmp_path):
            queues, zones = aws.client("sqs"), aws.client("route53")
            assert queues.list_queues().get("QueueUrls", []) == zones.list_hosted_zones()["HostedZones"] == []
            queues.create_queue(QueueName="jobs")
            zones.create_hosted_zone(Name="example.com", CallerReference="1")


@pytest.mark.parametrize(("outer", "inner"), [(MOTO, EMBEDDED), (EMBEDDED, MOTO)])
def test_a_world_inside_another_hides_it(outer: str, inner: str, tmp_path: Path) -> None:
    """Some tests move an installation from one world to the other and use both."""
    with world(outer, tmp_path):
        register("Alice", "alice@example.org", "wonderland")
        with world(inner, tmp_path):
            assert ids.reserve("account") == 1
        assert ids.reserve("account") == 2
