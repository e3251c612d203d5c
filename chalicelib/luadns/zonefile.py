"""Zone files as BIND has them (RFC 1035), in and out.

ALIAS, FORWARD and REDIRECT go out as comments that name servers skip and that we read again:
`;moonbase: NAME TTL IN ALIAS TARGET`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.tokenizer
import dns.zonefile
from dns.name import Name
from dns.rdata import Rdata
from dns.rdataclass import IN

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.luadns import bulk, presentation, records, store, zones
from chalicelib.luadns.contents import PSEUDO
from chalicelib.luadns.problems import Problem, refusal
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone

_OURS = ";moonbase:"
_DIRECTIVES = ("$ORIGIN", "$TTL")  # $INCLUDE would read our files, $GENERATE would write endlessly many records


@dataclass(frozen=True)
class Entry:
    """A record in a file, and the line where it begins."""

    line: int
    draft: Draft


def export(zone: Zone, found: Sequence[Record]) -> str:
    """A zone as a file; the same for the same records."""
    lines = [f"$ORIGIN {zone.name}."]
    for record in records.in_order(found):
        text = f"{record.name} {int(record.ttl)} IN {record.type} {_rdata_text(zone, record)}"
        lines.append(f"{_OURS} {text}" if record.type in PSEUDO else text)
    return "\n".join(lines) + "\n"


def load(
    owner: Owner, zone_id: int, text: str, if_match: str | None, *, replace: bool = False
) -> tuple[Zone, list[Record]]:
    """Take a file's records into a zone, all or none; returns the zone and these records.

    For every name and type in the file the zone then has just what the file says; with `replace` it has nothing else.
    SOA and name servers are the system's and are skipped. Raises Invalid with line numbers.
    """
    zone = store.zone(owner, zone_id)
    entries = [
        entry for entry in parse(text, zone.name) if not records.is_managed(zone, entry.draft.name, entry.draft.type)
    ]
    drafts = [entry.draft for entry in entries]
    try:
        if replace:
            return zones.update(owner, zone_id, zone.name, drafts, if_match)
        return bulk.set_many(owner, zone_id, drafts, if_match)
    except Invalid as error:
        raise _with_lines(error, entries) from error


def parse(text: str, origin: str) -> list[Entry]:
    """The records in a file, names absolute. Raises Invalid, which tells the line."""
    most, lines = settings.current().luadns_max_records, _Lines(text)
    found = _Collector(lines, most)
    reader = dns.zonefile.Reader(lines, IN, found, allow_directives=_DIRECTIVES)  # type: ignore[arg-type]
    reader.current_origin = reader.last_name = dns.name.from_text(f"{origin}.")
    reader.last_ttl, reader.last_ttl_known = settings.current().luadns_ttl, True
    try:
        reader.read()
    except (dns.exception.DNSException, UnicodeError) as error:
        raise refusal([Problem(f"line {lines.begun}", _without_place(error))]) from error
    entries = [*found.entries, *_ours(text)]
    if len(entries) > most:
        raise _too_many(most)
    return sorted(entries, key=lambda entry: entry.line)


class _Lines(dns.tokenizer.Tokenizer):
    """The words of a file. `begun` is the line where the record being read begins: it may go over several."""

    begun = 1

    def get(self, want_leading: bool = False, want_comment: bool = False) -> dns.tokenizer.Token:
        """The next word; leading blanks are asked for where a record may begin."""
        if want_leading and self.ungotten_token is None:
            self.begun = self.line_number
        return super().get(want_leading, want_comment)


class _Collector:
    """What dnspython's reader takes for a transaction: it keeps records as they come, each with its own TTL."""

    def __init__(self, lines: _Lines, most: int) -> None:
        self.entries: list[Entry] = []
        self.manager = self
        self._lines = lines
        self._most = most

    def origin_information(self) -> tuple[Name, bool, Name]:
        """The root, so that the reader skips no name as a foreign one: that is to be told."""
        return dns.name.root, False, dns.name.root

    def _set_origin(self, origin: Name) -> None:
        """The reader knows it by itself."""

    def check_put_rdataset(self, check: Any) -> None:
        """What may stand together is decided elsewhere."""

    def add(self, name: Name, ttl: int, rdata: Rdata) -> None:
        """Called for every record."""
        type_ = dns.rdatatype.to_text(rdata.rdtype)
        self.entries.append(Entry(self._lines.begun, Draft(name.to_text(), type_, presentation.content_of(rdata), ttl)))
        if len(self.entries) > self._most:
            raise _too_many(self._most)


def _ours(text: str) -> Iterator[Entry]:
    """The records of types that only LuaDNS knows."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(_OURS):
            fields = line.removeprefix(_OURS).split(None, 4)
            if len(fields) < 5 or not fields[1].isdecimal() or fields[2] != "IN":
                raise refusal([Problem(f"line {number}", f"{_OURS} is followed by NAME TTL IN TYPE CONTENT")])
            yield Entry(number, Draft(fields[0], fields[3], fields[4].rstrip(), int(fields[1])))


def _rdata_text(zone: Zone, record: Record) -> str:
    content = records.shown_content(zone, record)
    if record.type not in presentation.TEXTS:
        return content
    return presentation.rdata_of(record.type, content, dns.name.root).to_text()


def _with_lines(error: Invalid, entries: Sequence[Entry]) -> Invalid:
    """The same refusal, its places told as lines of the file."""
    problems: list[Problem] = []
    for problem in error.detail.get("problems", [Problem(None, error.message)]):
        index = (problem.field or "").partition(".")[0]
        if index.isdecimal():
            entry = entries[int(index)]
            text = f"{entry.draft.name} {entry.draft.type}: {problem.message}"
            problem = problem._replace(field=f"line {entry.line}", message=text)
        problems.append(problem)
    return refusal(problems)


def _without_place(error: Exception) -> str:
    """What dnspython says after `FILE:LINE: `, where its line is that of the last word read."""
    return re.sub(r"^<string>:\d+: ", "", str(error)) or "this is no record"


def _too_many(most: int) -> Invalid:
    return Invalid(f"A zone has at most {most} records.")
