"""What each request costs on AWS, counted: writes docs/cost.md.

    python -m bench.cost                 # fills 1,000 and 100,000 packages of each service; takes half an hour
    python -m bench.cost --counts 20     # what is counted at another size, as JSON: the document's columns

Calls and units are counted, see bench/aws.py; CPU is measured, and what the calls take elsewhere is assumed, see
bench/prices.py. The test of the document counts again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import cold, cost_document
from bench.servers import ROOT, filled

SIZES = (1_000, 100_000)
FILLED_BY = ("bench.luarocks", "bench.contentdb", "bench.hel")
WARM = 3  # which time it is that counts
REPEATS = 9
PATIENCE = 20.0  # seconds for the repeats of one request


def main() -> None:
    """Write the document, or do one of its parts, in a process of its own."""
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
        page = cost_document.written(SIZES, (small["rows"], large["rows"]), (small["cold"], large["cold"]))
        cost_document.FILE.write_text(page)


def at_size(size: int, repeats: int = REPEATS) -> dict[str, Any]:
    """The rows with so many packages in each service; and, beside more than one repeat, what a cold start takes."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        for bench in FILLED_BY:
            filled(bench, data, size)
        starts = cold.starts(data) if repeats > 1 else {}
        command = [sys.executable, "-m", "bench.cost", "--measure", str(data), "--repeats", str(repeats)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
        return {"rows": json.loads(done.stdout), "cold": starts}


def measured(data: Path, repeats: int) -> list[dict[str, Any]]:
    """Ask everything: what the first time cost once it is warm, with the least CPU of all."""
    from bench import endpoints
    from bench.aws import installed
    from chalicelib.luarocks import downloads

    rows = []
    with installed(data):
        for name, ask in endpoints.everything():
            for number in range(1, WARM):
                ask(number)
            spent, until = [ask(WARM)], time.monotonic() + PATIENCE
            while len(spent) < repeats and time.monotonic() < until:
                spent.append(ask(WARM + len(spent)))
            rows.append({"name": name, **asdict(spent[0]), "cpu": min(one.cpu for one in spent)})
        downloads.forget()  # else they are written when this process ends
    return rows


if __name__ == "__main__":
    main()
