"""The units of DynamoDB that large modules cost: a module of 100 versions costs as much as one of three."""

import pytest

from chalicelib.core.catalogues.tables import Change
from tests.aws_calls import metered
from tests.client import Client
from tests.luarocks.builders import Upload, rockspec
from tests.worlds import embedded_only

pytestmark = embedded_only


@pytest.fixture
def hundred_versions(upload: Upload) -> None:
    """Alice's module with 100 versions."""
    for number in range(100):
        assert upload(rockspec(version=f"{number}.0-1")).status == 200


@pytest.mark.usefixtures("hundred_versions")
def test_reads_cost_one_unit_after_a_large_module_was_published(client: Client) -> None:
    client.get("/manifest")
    (change,) = list(Change.query("catalogue-log#luarocks", scan_index_forward=False, limit=1))
    assert change.blob is not None
    for path, expected in (("/manifest", 1), ("/modules/alice/say", 1.5), ("/api/1/modules", 1)):
        with metered() as units:  # a module's document also reads the log's index
            assert client.get(path).status == 200
        assert (path, units.read, units.written) == (path, expected, 0)


@pytest.mark.usefixtures("hundred_versions")
def test_an_upload_to_a_large_module_costs_seventeen_write_units(upload: Upload) -> None:
    with metered() as units:
        assert upload(rockspec(version="100.0-1")).status == 200
    # With the published event, the job that passes it on, and the entry of the activity.
    assert (units.read, units.written) == (2, 17)
