"""The storage engine through PynamoDB, as the services use it: operations per second, with a small and a large table.

    python -m bench.storage [DIRECTORY]

The directory determines the disk that is measured. A transaction takes at least one fsync, which is measured for
comparison.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.core import storage, transport
from standalone.storage import Engine, local_transport

SIZES = (1_000, 50_000)
PER_LIST = 20
SECONDS = 2.0
BODY = "x" * 300


class ThingsByNumber(GlobalSecondaryIndex["Thing"]):  # type: ignore[no-untyped-call]
    """Lists of twenty items, ordered by number."""

    class Meta:
        index_name = "listing"
        projection = AllProjection()

    listing = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)


class Thing(storage.Item):
    """An item of about 400 bytes."""

    class Meta:
        table_name = "bench"
        region = "us-east-1"

    by_listing = ThingsByNumber()
    listing = UnicodeAttribute()
    number = NumberAttribute()
    body = UnicodeAttribute()


def main() -> None:
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        small, large = (measured(Path(directory), size) for size in SIZES)
        print(f"\n{'operations per second':28}" + "".join(f"{size:>9,} items" for size in SIZES) + "   ratio")
        for name, rate in small.items():
            print(f"{name:28}{rate:15,.0f}{large[name]:15,.0f}{large[name] / rate:8.2f}")


def measured(directory: Path, size: int) -> dict[str, float]:
    with filled(directory / str(size), size):
        return {
            "fsync of 4 KB": rate(syncs(directory)),
            "get": rate(lambda number: Thing.find(f"thing#{number % size}", "thing")),
            "put": rate(lambda number: thing(number % size, body=f"{number:300}").save()),
            "query of 20 by index": rate(
                lambda number: list(Thing.by_listing.query(f"list#{number % size // PER_LIST}"))
            ),
            "transaction of 2": rate(transact),
        }


@contextmanager
def filled(file: Path, size: int) -> Iterator[None]:
    with closing(Engine(file)) as engine, transport.override(local_transport(engine)):
        storage.create_tables([Thing])
        with Thing.batch_write() as batch:
            for number in range(size):
                batch.save(thing(number))
        yield


def thing(number: int, body: str = BODY) -> Thing:
    return Thing(f"thing#{number}", "thing", listing=f"list#{number // PER_LIST}", number=number, body=body)


def transact(number: int) -> None:
    """Create an item on condition that it does not exist, and set a counter, as every publish does."""
    writes = storage.Transaction()
    writes.create(Thing(f"new#{time.monotonic_ns()}", "thing", listing="new", number=number, body=BODY))
    writes.update(Thing("counter", "counter"), [Thing.number.set(number)])
    writes.commit()


def syncs(directory: Path) -> Callable[[int], None]:
    file = (directory / "sync").open("wb", buffering=0)

    def write(_: int) -> None:
        file.write(bytes(4096))
        os.fdatasync(file.fileno())

    return write


def rate(call: Callable[[int], object]) -> float:
    """Sequential calls per second: the best of three runs."""
    best = 0.0
    for _ in range(3):
        began, numbers = time.perf_counter(), count()
        while time.perf_counter() - began < SECONDS / 3:
            call(next(numbers) * 7919)
        best = max(best, next(numbers) / (time.perf_counter() - began))
    return best


if __name__ == "__main__":
    main()
