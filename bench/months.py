"""The cost of whole months: for a few kinds of use, and for an idle stack."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalice.package import YAMLTemplateSerializer

from bench.aws import Spent
from bench.prices import MESSAGE, MILLION, MONTH, PRICES, bill
from bench.servers import ROOT

Costs = Mapping[str, Spent]
Line = tuple[str, float, float, float]  # name, how often, dollars without API Gateway's share, that share

POLLS = 5 * 3 * MONTH  # Lambda polls the queue with five pollers, 20 seconds per poll
CLOCK = "job: scheduled function, nothing due"
# To enqueue a repeating job, to lease it, and to delete it: a transaction of two items, and two writes.
AROUND_A_JOB = Spent(read_units=1, write_units=6)


@dataclass(frozen=True)
class Month:
    """A kind of use: how often each request is sent in a month, and how many hosted zones exist."""

    name: str
    about: str
    times: Mapping[str, int]
    download: int = 0  # bytes of the files that links lead to
    zones: int = 0


MONTHS = (
    Month(
        "A team of 20",
        "20 installs per person and working day, with four rocks each; 20 releases a day",
        {
            "LuaRocks: manifest, zipped, for `luarocks install`": 20 * 20 * 22,
            "LuaRocks: rock of 2 KB": 4 * 20 * 20 * 22,
            "LuaRocks: check whether a version exists": 20 * 22,
            "LuaRocks: upload a rockspec": 20 * 22,
            "LuaRocks: upload a rock": 20 * 22,
        },
    ),
    Month(
        "A Luanti community",
        "100,000 lists a day, each with eight thumbnails and a tenth of a download (2 MB); 50 releases a day",
        {
            "ContentDB: package list in the game": 100_000 * 30,
            "ContentDB: thumbnail": 8 * 100_000 * 30,
            "ContentDB: download, through a link": 10_000 * 30,
            "ContentDB: create a release from a zip": 50 * 30,
            "ContentDB: job: check a release": 50 * 30,
        },
        download=2_000_000,
    ),
    Month(
        "An ACME operator",
        "500 zones, whose certificates are renewed every 60 days; each renewal adds and deletes a challenge record",
        {
            "LuaDNS: list zones": 250,
            "LuaDNS: records of a zone": 250,
            "LuaDNS: add a record": 250,
            "LuaDNS: delete a record": 250,
            "LuaDNS: job: publish the zone at Route 53": 500,
        },
        zones=500,
    ),
)


def lines(month: Month, costs: Costs, call_cpu: float) -> list[Line]:
    """The cost of each part of a month, and the total."""
    found: list[Line] = []
    for name, times in month.times.items():
        spent = costs[name]
        if spent.from_bucket:
            spent = replace(spent, from_bucket=month.download)
        each = bill(spent, call_cpu, by_gateway="job: " not in name)
        found.append((name, times, each.own * times / MILLION, each.gateway * times / MILLION))
    if month.zones:
        first, more = (PRICES[f"Route 53 hosted zone, {which}"][0] for which in ("the first 25", "more"))
        found.append(("hosted zones at Route 53", month.zones, 25 * first + (month.zones - 25) * more, 0))
    return [*found, ("**total**", 0, sum(line[2] for line in found), sum(line[3] for line in found))]


def idle(costs: Costs, call_cpu: float) -> list[tuple[str, float]]:
    """The monthly dollars for an idle stack, part by part, and the total."""
    repeats = 0.0
    for name, spent in costs.items():
        _, found, every = name.partition(", every ")
        if found:
            once = bill(spent, call_cpu, by_gateway=False).own + bill(AROUND_A_JOB, 0, by_gateway=False).dynamodb
            repeats += once * MONTH * 60 / int(every.split()[0])
    watched, own = _metrics()
    found = [
        ("KMS key", PRICES["KMS key"][0] * MILLION),
        (f"scheduled function, {MONTH:,} calls", bill(costs[CLOCK], call_cpu, by_gateway=False).own * MONTH),
        ("repeating jobs, nothing new", repeats),
        (f"queue, {POLLS:,} polls", PRICES[MESSAGE][0] * POLLS),
        (f"alarms, for the {watched} metrics that they watch", PRICES["CloudWatch alarm"][0] * watched * MILLION),
        (f"{own} custom metrics", PRICES["CloudWatch metric"][0] * own * MILLION),
    ]
    dollars = [(name, total / MILLION) for name, total in found]
    return [*dollars, ("**total**", sum(total for _, total in dollars))]


def _metrics() -> tuple[int, int]:
    """How many metrics the alarms watch, each of which is billed; and how many metrics are extracted from the log."""
    template = YAMLTemplateSerializer().load_template((ROOT / "infra" / "template.yml").read_text())
    kinds: dict[str, list[Any]] = {}
    for resource in template["Resources"].values():
        kinds.setdefault(resource.get("Type", ""), []).append(resource.get("Properties", {}))
    watched = (alarm.get("Metrics", [{"MetricStat": alarm}]) for alarm in kinds["AWS::CloudWatch::Alarm"])
    return sum("MetricStat" in each for metrics in watched for each in metrics), len(kinds["AWS::Logs::MetricFilter"])
