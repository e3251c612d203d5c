"""Counts the cost of each request on AWS and writes docs/cost.md.

    python -m bench.cost                 # creates 1,000 and 100,000 packages of each service; takes half an hour
    python -m bench.cost --counts 20     # prints the counts at another size as JSON: the document's columns

Calls and units are counted, see bench/aws.py; CPU is measured, and the duration of AWS calls is assumed, see
bench/prices.py. A test repeats the count and compares it with the document.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import catalogue, cold, cost_document
from bench.servers import ROOT, filled

SIZES = (1_000, 100_000)
FILLED_BY = ("bench.luarocks", "bench.contentdb", "bench.hel")
WARM = 3  # the repetition that counts: from then on the process is warm
REPEATS = 9
REPEATS_SECONDS = 20.0  # seconds for the repeats of one request


def main() -> None:
    """Write the document, or print the part that another process of this script requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, metavar="PACKAGES")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=REPEATS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measured(options.measure, options.repeats)))
    elif options.counts:
        found = cost_document.costs_of(at_size(options.counts, repeats=1)["rows"])
        print(json.dumps({name: cost_document.counts_of(spent) for name, spent in found.items()}))
    else:
        small, large = (at_size(size) for size in SIZES)
        page = cost_document.written(
            SIZES,
            (small["rows"], large["rows"]),
            (small["cold"], large["cold"]),
            [catalogue.at_size(size) for size in catalogue.SIZES],
        )
        cost_document.FILE.write_text(page)


def at_size(size: int, repeats: int = REPEATS) -> dict[str, Any]:
    """Return `rows` with `size` packages in each service, and, if there are repeats, `cold`: the cold starts."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        for bench in FILLED_BY:
            filled(bench, data, size)
        starts = cold.starts(data) if repeats > 1 else {}
        command = [sys.executable, "-m", "bench.cost", "--measure", str(data), "--repeats", str(repeats)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
        return {"rows": json.loads(done.stdout), "cold": starts}


def measured(data: Path, repeats: int) -> list[dict[str, Any]]:
    """Send all requests; return for each the counts of the first warm repetition and the least CPU of all."""
    from bench import endpoints
    from bench.aws import installed
    from chalicelib.core.catalogues import counters

    counters.FOLLOW_EVERY = math.inf  # otherwise the counts would depend on the speed of this machine
    rows = []
    with installed(data):
        for name, operation in endpoints.everything():
            for number in range(1, WARM):
                operation(number)
            spent, until = [operation(WARM)], time.monotonic() + REPEATS_SECONDS
            while len(spent) < repeats and time.monotonic() < until:
                spent.append(operation(WARM + len(spent)))
            rows.append({"name": name, **asdict(spent[0]), "cpu": min(one.cpu for one in spent)})
    return rows


if __name__ == "__main__":
    main()
