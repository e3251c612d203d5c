"""From what Route 53 has to what it should have: whole record sets, in batches that it takes.

Route 53's own rules: a batch happens as a whole or not at all; it holds 1,000 values and 32,000 characters of them, and
an UPSERT counts twice; removing a set takes it exactly as it stands.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import dns.rdatatype
from dns.rdata import Rdata
from dns.rdtypes.txtbase import TXTBase
from dns.rrset import RRset

MOST_VALUES = 1000
MOST_CHARACTERS = 32_000
LONGEST_VALUE = 4000  # characters of one value, quotes included

RecordSet = dict[str, Any]  # as the API has it: Name, Type, TTL, ResourceRecords, and more in those made by hand
Change = dict[str, Any]


class SetKey(NamedTuple):
    """What tells record sets apart: the name in lower case, the type, and the identifier in sets with a routing."""

    name: str
    type: str
    identifier: str = ""


def record_set(rrset: RRset) -> RecordSet:
    """A set of records as Route 53 takes it."""
    return {
        "Name": rrset.name.to_text(),
        "Type": dns.rdatatype.to_text(rrset.rdtype),
        "TTL": rrset.ttl,
        "ResourceRecords": [{"Value": text} for text in sorted(value(rdata) for rdata in rrset)],
    }


def value(rdata: Rdata) -> str:
    """The text of a record's value. In Route 53's TXT the three digits after a backslash are octal."""
    if isinstance(rdata, TXTBase):
        return " ".join(f'"{"".join(map(_octet, string))}"' for string in rdata.strings)
    return rdata.to_text()


def key_of(found: RecordSet) -> SetKey:
    """The key of a set. Route 53 writes what is no letter, digit, hyphen, underscore or dot of a name as `\\052`."""
    parts = found["Name"].split("\\")
    name = parts[0] + "".join(chr(int(part[:3], 8)) + part[3:] for part in parts[1:])
    return SetKey(name.lower(), found["Type"], found.get("SetIdentifier", ""))


def changes(has: Mapping[SetKey, RecordSet], wanted: Mapping[SetKey, RecordSet]) -> list[list[Change]]:
    """What turns the one into the other; changes at one name belong together: an A may take a CNAME's place."""
    groups: dict[str, list[Change]] = {}
    for key, found in has.items():
        if key not in wanted:
            groups.setdefault(key.name, []).append({"Action": "DELETE", "ResourceRecordSet": found})
    for key, found in wanted.items():
        if key not in has:
            groups.setdefault(key.name, []).append({"Action": "CREATE", "ResourceRecordSet": found})
        elif not _same(found, has[key]):
            groups.setdefault(key.name, []).append({"Action": "UPSERT", "ResourceRecordSet": found})
    return list(groups.values())


def batches(groups: Iterable[list[Change]]) -> Iterator[list[list[Change]]]:
    """Groups of changes in batches that Route 53 takes; a group above its limits stands alone."""
    batch: list[list[Change]] = []
    values = characters = 0
    for group in groups:
        more_values, more_characters = (sum(column) for column in zip(*map(_weight, group), strict=True))
        if batch and (values + more_values > MOST_VALUES or characters + more_characters > MOST_CHARACTERS):
            yield batch
            batch, values, characters = [], 0, 0
        batch.append(group)
        values += more_values
        characters += more_characters
    if batch:
        yield batch


def _weight(change: Change) -> tuple[int, int]:
    """How many values, and characters in them, a change counts."""
    found = [record["Value"] for record in change["ResourceRecordSet"].get("ResourceRecords", [])]
    times = 2 if change["Action"] == "UPSERT" else 1
    return times * max(len(found), 1), times * sum(map(len, found))


def _same(one: RecordSet, other: RecordSet) -> bool:
    return _content(one) == _content(other)


def _content(found: RecordSet) -> tuple[Any, list[str], bool]:
    values = sorted(record["Value"] for record in found.get("ResourceRecords", []))
    return found.get("TTL"), values, "AliasTarget" in found


def _octet(octet: int) -> str:
    letter = chr(octet)
    if letter in '"\\':
        return f"\\{letter}"
    return letter if " " <= letter <= "~" else f"\\{octet:03o}"
