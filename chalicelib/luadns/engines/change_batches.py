"""The difference between the current and the desired record sets of a hosted zone, in batches for Route 53.

Route 53's rules: a batch is atomic; it holds at most 1,000 values with 32,000 characters, and an UPSERT counts twice;
a DELETE must contain the record set exactly as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import dns.rdatatype
from dns.rdata import Rdata
from dns.rdtypes.txtbase import TXTBase
from dns.rrset import RRset

TYPES = frozenset(
    [
        "A",
        "AAAA",
        "CAA",
        "CNAME",
        "DS",
        "HTTPS",
        "MX",
        "NAPTR",
        "NS",
        "PTR",
        "SOA",
        "SPF",
        "SRV",
        "SSHFP",
        "SVCB",
        "TLSA",
        "TXT",
    ]
)
MAX_VALUES = 1000
MAX_CHARACTERS = 32_000
MAX_VALUE_LENGTH = 4000  # characters of one value, quotes included

RecordSet = dict[str, Any]  # as in the API: Name, Type, TTL, ResourceRecords; sets made by hand may have more
Change = dict[str, Any]


class SetKey(NamedTuple):
    """The key of a record set: name in lower case, type, and the SetIdentifier of sets with a routing policy."""

    name: str
    type: str
    identifier: str = ""


def record_set(rrset: RRset) -> RecordSet:
    """Convert a record set to Route 53's format."""
    return {
        "Name": rrset.name.to_text(),
        "Type": dns.rdatatype.to_text(rrset.rdtype),
        "TTL": rrset.ttl,
        "ResourceRecords": [{"Value": text} for text in sorted(value(rdata) for rdata in rrset)],
    }


def value(rdata: Rdata) -> str:
    """The text of a value. In Route 53's TXT the three digits after a backslash are octal."""
    if isinstance(rdata, TXTBase):
        return " ".join(f'"{"".join(map(_octet, string))}"' for string in rdata.strings)
    return rdata.to_text()


def key_of(found: RecordSet) -> SetKey:
    """The key of a record set. Route 53 escapes characters other than letters, digits, `-`, `_` and `.` as `\\052`."""
    parts = found["Name"].split("\\")
    name = parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])
    return SetKey(name.lower(), found["Type"], found.get("SetIdentifier", ""))


def changes(current: Mapping[SetKey, RecordSet], desired: Mapping[SetKey, RecordSet]) -> list[list[Change]]:
    """Return the changes from `current` to `desired`, grouped by name, because an A record may replace a CNAME."""
    groups: dict[str, list[Change]] = {}
    for key, found in current.items():
        if key not in desired:
            groups.setdefault(key.name, []).append({"Action": "DELETE", "ResourceRecordSet": found})
    for key, found in desired.items():
        if key not in current:
            groups.setdefault(key.name, []).append({"Action": "CREATE", "ResourceRecordSet": found})
        elif not _equal(found, current[key]):
            groups.setdefault(key.name, []).append({"Action": "UPSERT", "ResourceRecordSet": found})
    return list(groups.values())


def batches(groups: Iterable[list[Change]]) -> Iterator[list[list[Change]]]:
    """Split groups of changes into batches within Route 53's limits; a group above the limits is a batch of its own."""
    batch: list[list[Change]] = []
    values = characters = 0
    for group in groups:
        more_values, more_characters = (sum(column) for column in zip(*map(_size, group), strict=True))
        if batch and (values + more_values > MAX_VALUES or characters + more_characters > MAX_CHARACTERS):
            yield batch
            batch, values, characters = [], 0, 0
        batch.append(group)
        values += more_values
        characters += more_characters
    if batch:
        yield batch


def _size(change: Change) -> tuple[int, int]:
    """The number of values, and of characters in them, that count for a change."""
    found = [record["Value"] for record in change["ResourceRecordSet"].get("ResourceRecords", [])]
    times = 2 if change["Action"] == "UPSERT" else 1
    return times * max(len(found), 1), times * sum(map(len, found))


def _equal(one: RecordSet, other: RecordSet) -> bool:
    return _content(one) == _content(other)


def _content(found: RecordSet) -> tuple[Any, list[str], bool]:
    values = sorted(record["Value"] for record in found.get("ResourceRecords", []))
    return found.get("TTL"), values, "AliasTarget" in found


def _octet(octet: int) -> str:
    letter = chr(octet)
    if letter in '"\\':
        return f"\\{letter}"
    return letter if " " <= letter <= "~" else f"\\{octet:03o}"
