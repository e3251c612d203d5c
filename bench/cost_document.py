"""Renders docs/cost.md from the counts and measurements."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench import cold, months, prices
from bench.aws import LIMIT, Spent
from bench.catalogue import FIGURES
from bench.months import MONTHS, Costs, Month
from bench.prices import DATE, PRICES, bill, milliseconds
from bench.servers import ROOT

FILE = ROOT / "docs" / "cost.md"
JOB_SECONDS = 300  # the time limit of the functions that run jobs; see .chalice/config.json

ABOUT = """\
# What it costs on AWS

`python -m bench.cost` generates this page. It stores {small:,} and then {large:,} packages in each of LuaRocks,
ContentDB and Hel, sends each request as a client does, and **counts** the calls to AWS and the units that they consume.
The tables are those of [the storage engine](../standalone/storage/capacity.py), which follows DynamoDB's published
rules; S3, KMS, SQS and Route 53 are moto's. The process is warm: the catalogue is in memory, and each request queries
the changes since. Its query for new counts, at most one in two seconds, is not counted, nor is the mark of the first
download of a package in five minutes. A test repeats the count. The app's CPU is **measured**; the duration of AWS
calls is **assumed**, see the end.

## What is counted

Where {small:,} and {large:,} packages differ, the table has both numbers. A transaction takes two units for each
kilobyte, an index one more; a write whose condition fails costs as much as any other. A download from S3 through a link
is counted with the request that returned the link. Jobs have no client. A process that writes or runs jobs also reads
the read-only mode, one unit at most every three seconds, which is not counted here. The texts of the packages consist
of few words: real texts compress less well.
"""
DOLLARS = """
## Dollars per million requests

With {small:,} packages; the last column with {large:,}. `ms` is how long the function of {memory:,} MB runs. Most of
the cost of a read is API Gateway's share; a server on one machine does not have it ([operating.md](operating.md)).
"""
MONTHS_TEXT = """
## Sample months

With {small:,} packages.
"""
IDLE = """
## An idle month

Storage costs extra, {tables:.2f} dollars per gigabyte in the tables and {bucket:.3f} in the bucket. Without requests,
tables, functions, API and bucket cost nothing else.
"""
COLD = """
## Cold starts

`import app` takes {cpu:.0f} ms of CPU and {wall:.0f} ms of wall time on two cores, the best of {times} runs, and
{held:.0f} MB of memory; a test lists the libraries that it must not load. The first request that needs a service's
catalogue loads all of it, on AWS from S3 and here from a file. The catalogues of all services that a process serves
must fit into the functions' {memory:,} MB.
"""
CATALOGUES = """
## The catalogue at three sizes

The CPU time and the memory of one process with all modules of LuaRocks, all packages of ContentDB and all of Hel, by
`python -m bench.catalogue`. Their texts consist of random words, so a search finds nearly all packages of ContentDB.
The stored list of all packages has the URL that is configured; for another one, as here, it is compressed again.
With the configured URL the first whole list takes 0.5 s for 100,000 packages. Other work shared the two cores, which
makes the times up to twice as long.
"""
LIMITS = """
## Limits that {large:,} packages exceed

On AWS with the template's settings; one machine has none of these limits.
"""
PRICES_TEXT = """
## Prices and assumptions

Dollars for us-east-1 in {date}, from AWS' pricing pages, without free tier and tax:
"""
ASSUMED = """
- The function gets {share:.2f} of a core: Lambda gives a whole core at {whole:,} MB. Its CPU is as fast as ours.
- An AWS call takes {call:.2f} ms of CPU to build, sign, send and parse: measured over HTTP, without TLS.
- The duration of calls, in ms: {waits}. The function waits meanwhile and is paid for.
- Lambda and the app write {log} bytes to the log per call of a function.
- Lambda polls the queue with five pollers, 20 seconds per poll.
- An upload to LuaRocks also calls the function that evaluates rockspecs: 0.6 per million at 50 ms and 512 MB, which the
  tables leave out.
"""


def written(
    sizes: Sequence[int],
    rows: Sequence[Sequence[Mapping[str, Any]]],
    starts: Sequence[Mapping[str, Any]],
    catalogues: Sequence[Mapping[str, float]],
) -> str:
    """Return the whole page for two sizes. This measures the CPU of imports and calls."""
    call_cpu, imported = cold.call_cpu(), cold.imported()
    small, large = map(costs_of, rows)
    size = {"small": sizes[0], "large": sizes[1], "memory": prices.MEMORY}
    stored = {"tables": "DynamoDB storage, with point-in-time recovery", "bucket": "S3 storage"}
    took = {"cpu": imported["cpu"] * 1000, "wall": imported["wall"] * 1000, "held": imported["held"]}
    waits = ", ".join(f"{name} {wait}" for name, wait in prices.WAITS.items())
    parts = [
        ABOUT.format(**size),
        counted(sizes, small, large),
        DOLLARS.format(**size),
        dollars(sizes, small, large, call_cpu),
        MONTHS_TEXT.format(**size),
        *(month_table(month, small, call_cpu) for month in MONTHS),
        IDLE.format(**{name: PRICES[price][0] for name, price in stored.items()}),
        table(("", "dollars"), [(name, f"{total:.2f}") for name, total in months.idle(small, call_cpu)]),
        COLD.format(**size, **took, times=cold.IMPORTS),
        cold_starts(sizes, starts),
        CATALOGUES,
        table(
            ("", *(f"{one['entries']:,}" for one in catalogues)),
            [(text, *(f"{one[name]:,}" for one in catalogues)) for name, text in FIGURES.items()],
        ),
        LIMITS.format(**size),
        *limits(large, call_cpu, starts[1]),
        PRICES_TEXT.format(date=DATE),
        table(("", "dollars", "for a"), [(name, f"{price:g}", unit) for name, (price, unit) in PRICES.items()]),
        ASSUMED.format(
            share=prices.MEMORY / prices.WHOLE_CORE,
            whole=prices.WHOLE_CORE,
            call=call_cpu * 1000,
            waits=waits,
            log=prices.LOG_BYTES,
        ),
    ]
    return "\n".join(parts)


def costs_of(rows: Sequence[Mapping[str, Any]]) -> Costs:
    """The measurements by name; jobs that belong to no service come last."""
    ordered = sorted(rows, key=lambda row: row["name"].startswith("job: "))
    return {row["name"]: Spent(**{name: value for name, value in row.items() if name != "name"}) for row in ordered}


def counted(sizes: Sequence[int], small: Costs, large: Costs) -> str:
    """The table of counts, which a test compares."""
    lines = []
    for name, spent in small.items():
        texts = map(both, counts_of(spent), counts_of(large[name]))
        lines.append((name, *texts, *(f"{one.from_gateway + one.from_bucket:,}" for one in (spent, large[name]))))
    return table(("", *COLUMNS, *(f"bytes out at {size:,}" for size in sizes)), lines)


COLUMNS: dict[str, Callable[[Spent], str]] = {
    "DynamoDB calls": lambda spent: str(sum(n for call, n in spent.calls.items() if call.startswith("dynamodb:"))),
    "read units": lambda spent: f"{spent.read_units:g}",
    "write units": lambda spent: f"{spent.write_units:g}",
    "other calls": lambda spent: ", ".join(
        call.replace(":", " ") + (f" {number}x" if number > 1 else "")
        for call, number in sorted(spent.calls.items())
        if not call.startswith("dynamodb:")
    ),
}


def counts_of(spent: Spent) -> list[str]:
    """The cells of the COLUMNS."""
    return [column(spent) for column in COLUMNS.values()]


def dollars(sizes: Sequence[int], small: Costs, large: Costs, call_cpu: float) -> str:
    """The table of dollars per million requests, by part of the bill."""
    lines = []
    for name, spent in small.items():
        one, other = (bill(each, call_cpu, by_gateway="job: " not in name) for each in (spent, large[name]))
        parts = (one.dynamodb, one.functions, one.others, one.transfer, one.own, one.gateway, one.total, other.total)
        lines.append((name, f"{milliseconds(spent, call_cpu):.0f}", *(f"{part:.2f}" for part in parts)))
    head = ("", "ms", "DynamoDB", "Lambda, log", "S3, SQS, KMS", "transfer", "subtotal", "API Gateway", "total")
    return table((*head, f"total at {sizes[1]:,}"), lines)


def month_table(month: Month, costs: Costs, call_cpu: float) -> str:
    """The table of one sample month."""
    found = months.lines(month, costs, call_cpu)
    lines = [(name, f"{times:,}" if times else "", f"{own:.2f}", f"{share:.2f}") for name, times, own, share in found]
    return f"**{month.name}**: {month.about}.\n\n" + table(("", "times", "dollars", "API Gateway"), lines)


def cold_starts(sizes: Sequence[int], starts: Sequence[Mapping[str, Any]]) -> str:
    """The table of first requests, one for each catalogue."""
    head = ("first request", *(text for size in sizes for text in (f"CPU at {size:,}", f"memory at {size:,}")))
    lines = []
    for path in cold.FIRST:
        texts = [
            text for one in starts for text in (f"{one[path]['cpu'] * 1000:.0f} ms", f"{one[path]['held']:.0f} MB")
        ]
        lines.append((f"`GET {path}`", *texts))
    return table(head, lines)


def limits(large: Costs, call_cpu: float, starts: Mapping[str, Any]) -> list[str]:
    """A list item for each request that exceeds Lambda's response size, time limit or memory."""
    answers = [
        f"- {name}: {spent.from_gateway:,} bytes, and Lambda returns at most {LIMIT:,}."
        for name, spent in large.items()
        if spent.from_gateway > LIMIT
    ]
    works = [
        f"- {name}: {milliseconds(spent, call_cpu) / 1000:,.0f} s, and the function's time limit is {JOB_SECONDS} s."
        for name, spent in large.items()
        if milliseconds(spent, call_cpu) / 1000 > JOB_SECONDS
    ]
    memory = [
        f"- The catalogue behind `GET {path}`: {one['held']:,.0f} MB while it loads, and the function has "
        f"{prices.MEMORY:,}; `lambda_memory_size` in `.chalice/config.json` sets more."
        for path, one in starts.items()
        if one["held"] > prices.MEMORY
    ]
    return [*answers, *works, *memory]


def both(one: str, other: str) -> str:
    """Both numbers if they differ, otherwise one."""
    return one if one == other else f"{one} → {other}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are right-aligned."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"
