"""What whole months cost: of a few kinds of use, and of none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalice.package import YAMLTemplateSerializer

from bench.aws import Spent
from bench.prices import MESSAGE, MILLION, MONTH, PRICES, bill
from bench.servers import ROOT

Costs = Mapping[str, Spent]
Line = tuple[str, float, float, float]  # what, how often, dollars without API Gateway's share, that share

POLLS = 5 * 3 * MONTH  # five pollers of Lambda ask the queue, and wait 20 seconds each time
CLOCK = "job: the clock, nothing due"
# To promise a repeating job, to take it, and to drop it: a transaction of two items, and two writes.
AROUND_A_JOB = Spent(read_units=1, write_units=6)


@dataclass(frozen=True)
class Month:
    """A kind of use: what is asked, how often; and how many hosted zones stand."""

    name: str
    about: str
    times: Mapping[str, int]
    download: int = 0  # bytes of the files that links lead to
    zones: int = 0


MONTHS = (
    Month(
        "A team of 20",
        "each installs 20 times a working day, with four rocks each time; 20 releases a day",
        {
            "LuaRocks: manifest, zipped, as `luarocks install` asks": 20 * 20 * 22,
            "LuaRocks: rock of 2 KB": 4 * 20 * 20 * 22,
            "LuaRocks: is a version there?": 20 * 22,
            "LuaRocks: upload a rockspec": 20 * 22,
            "LuaRocks: upload a rock": 20 * 22,
        },
    ),
    Month(
        "A Luanti community",
        "100,000 lists a day, with eight thumbnails and a tenth of a download (2 MB) for each; 50 releases a day",
        {
            "ContentDB: the game's list": 100_000 * 30,
            "ContentDB: thumbnail": 8 * 100_000 * 30,
            "ContentDB: download, by a link": 10_000 * 30,
            "ContentDB: make a release by zip": 50 * 30,
            "ContentDB: job: check a release": 50 * 30,
        },
        download=2_000_000,
    ),
    Month(
        "An ACME operator",
        "500 zones whose certificates are renewed every 60 days, each by a challenge that comes and goes",
        {
            "LuaDNS: list zones": 250,
            "LuaDNS: its records": 250,
            "LuaDNS: add a record": 250,
            "LuaDNS: take a record away": 250,
            "LuaDNS: job: publish the zone at Route 53": 500,
        },
        zones=500,
    ),
)


def lines(month: Month, costs: Costs, call_cpu: float) -> list[Line]:
    """What each part of a month comes to, and all of it together."""
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
    return [*found, ("**in all**", 0, sum(line[2] for line in found), sum(line[3] for line in found))]


def idle(costs: Costs, call_cpu: float) -> list[tuple[str, float]]:
    """What is paid for the stack alone, when nobody comes."""
    repeats = 0.0
    for name, spent in costs.items():
        _, found, every = name.partition(", every ")
        if found:
            once = bill(spent, call_cpu, by_gateway=False).own + bill(AROUND_A_JOB, 0, by_gateway=False).dynamodb
            repeats += once * MONTH * 60 / int(every.split()[0])
    watched, own = _metrics()
    found = [
        ("the key at KMS", PRICES["KMS key"][0] * MILLION),
        (f"the clock, {MONTH:,} times", bill(costs[CLOCK], call_cpu, by_gateway=False).own * MONTH),
        ("the jobs that repeat, with nothing new", repeats),
        (f"the queue, asked {POLLS:,} times", PRICES[MESSAGE][0] * POLLS),
        (f"alarms, by the {watched} metrics that they look at", PRICES["CloudWatch alarm"][0] * watched * MILLION),
        (f"metrics of our own, {own} of them", PRICES["CloudWatch metric"][0] * own * MILLION),
    ]
    dollars = [(name, total / MILLION) for name, total in found]
    return [*dollars, ("**in all**", sum(total for _, total in dollars))]


def _metrics() -> tuple[int, int]:
    """How many metrics the alarms look at, each of which is paid for as one; and how many are made from the log."""
    template = YAMLTemplateSerializer().load_template((ROOT / "infra" / "template.yml").read_text())
    kinds: dict[str, list[Any]] = {}
    for resource in template["Resources"].values():
        kinds.setdefault(resource.get("Type", ""), []).append(resource.get("Properties", {}))
    looked_at = (alarm.get("Metrics", [{"MetricStat": alarm}]) for alarm in kinds["AWS::CloudWatch::Alarm"])
    return sum("MetricStat" in each for metrics in looked_at for each in metrics), len(kinds["AWS::Logs::MetricFilter"])
