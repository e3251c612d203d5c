"""Export and import of BIND zone files (RFC 1035).

ALIAS, FORWARD and REDIRECT are exported as comments, which name servers skip and the import reads:
`;moonbase: NAME TTL IN ALIAS TARGET`.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.zonefile
from dns.name import Name
from dns.rdata import Rdata
from dns.rdataclass import IN
from dns.tokenizer import IDENTIFIER, QUOTED_STRING, Token, Tokenizer

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.luadns import bulk, presentation, records, store, zones
from chalicelib.luadns.contents import PSEUDO
from chalicelib.luadns.problems import Problem, invalid
from chalicelib.luadns.records import Draft
from chalicelib.luadns.store import Owner
from chalicelib.luadns.tables import Record, Zone

_COMMENT = ";moonbase:"
_PLAIN = re.compile(r'[ \t]*+(?:([^ \t\r\n;()"\\]++)|"([^"\\\r\n]*+)")(?=[ \t\r\n])')
_TTL = re.compile(r"[0-9]{1,10}")
_LINES_PER_RECORD = 10  # blank lines and comments take CPU, too
_DIRECTIVES = (
    "$ORIGIN",
    "$TTL",
)  # $INCLUDE would read files of the server, $GENERATE could create any number of records


@dataclass(frozen=True)
class ZoneFileRecord:
    """A record in a file, and the number of its first line."""

    line: int
    draft: Draft


def export(zone: Zone, found: Sequence[Record]) -> str:
    """Return the zone as a zone file; the same records give the same file.

    Of a record set the lowest TTL is first: other name servers take the first one for all, and we serve the lowest.
    """
    lines = [f"$ORIGIN {zone.name}."]
    for record in sorted(found, key=_export_order):
        text = f"{record.name} {int(record.ttl)} IN {record.type} {_rdata_text(zone, record)}"
        lines.append(f"{_COMMENT} {text}" if record.type in PSEUDO else text)
    return "\n".join(lines) + "\n"


def is_managed_name(zone: str, draft: Draft) -> bool:
    """Whether a record of a file is skipped: the SOA, and the NS records of the zone itself."""
    return draft.type == "SOA" or (draft.type == "NS" and draft.name.lower() == f"{zone}.")


def _identity(draft: Draft) -> tuple[str, str, str]:
    """The key by which a record that is twice in a file is one: the parser has normalized its content."""
    return draft.name.lower(), draft.type, draft.content


def _export_order(record: Record) -> tuple[bool, bool, str, str, int, int]:
    return record.type != "SOA", record.type != "NS", record.type, record.name.lower(), int(record.ttl), int(record.id)


def load(
    owner: Owner, zone_id: int, text: str, if_match: str | None, *, replace: bool = False, most: int | None = None
) -> tuple[Zone, list[Record]]:
    """Import a zone file atomically; return the zone and the imported records.

    The file replaces the record sets of every name and type in it, and the whole zone with `replace`.
    The SOA and the NS records at the apex are skipped. Raises Invalid with line numbers; `most` is the largest
    number of records, by default that of a zone.
    """
    zone = store.zone(owner, zone_id)
    found = (entry for entry in parse(text, zone.name, most) if not is_managed_name(zone.name, entry.draft))
    entries = list({_identity(entry.draft): entry for entry in found}.values())
    drafts = [entry.draft for entry in entries]
    try:
        if replace:
            return zones.update(owner, zone_id, zone.name, drafts, if_match, keep_servers=True)
        return bulk.set_many(owner, zone_id, drafts, if_match)
    except Invalid as error:
        raise _with_lines(error, entries) from error


def parse(text: str, origin: str, most: int | None = None) -> list[ZoneFileRecord]:
    """Return the records in a file, with absolute names. Raises Invalid with the line number, see `load`."""
    limit, lines = most or settings.current().luadns_max_records, _Lines(text)
    if text.count("\n") > _LINES_PER_RECORD * limit:
        raise Invalid(f"A zone file has at most {_LINES_PER_RECORD * limit} lines.")
    found = _Collector(lines, limit)
    reader = dns.zonefile.Reader(lines, IN, found, allow_directives=_DIRECTIVES)  # type: ignore[arg-type]
    reader.current_origin = reader.last_name = dns.name.from_text(f"{origin}.")
    reader.last_ttl, reader.last_ttl_known = settings.current().luadns_ttl, True
    try:
        reader.read()
    except (dns.exception.DNSException, ValueError) as error:  # ValueError: a number with thousands of digits
        raise invalid([Problem(f"line {lines.record_start}", _without_position(error))]) from error
    entries = [*found.entries, *_pseudo_records(text)]
    if len(entries) > limit:
        raise _too_many(limit)
    return sorted(entries, key=lambda entry: entry.line)


class _PlainToken(Token):
    """A token without escapes."""

    def unescape_to_bytes(self) -> Token:
        """The same token with bytes; dnspython looks at every character."""
        return Token(self.ttype, self.value.encode())


class _Lines(Tokenizer):
    """The tokens of a file. `record_start` is the first line of the current record, which may have several lines.

    dnspython reads character by character, which takes seconds for megabytes. Here one pattern finds each word and
    each quoted string without escapes, and dnspython reads the rest.
    """

    record_start = 1

    def __init__(self, text: str) -> None:
        self._text = text
        self._file = io.StringIO(text)
        super().__init__(self._file, "<string>")

    def get(self, want_leading: bool = False, want_comment: bool = False) -> Token:
        """The next token. The reader requests leading blanks only where a record may begin."""
        if want_leading and self.ungotten_token is None:
            self.record_start = self.line_number
        found = None if want_leading else self._find_plain()
        if not found:
            return super().get(want_leading, want_comment)
        self._file.seek(found.end())
        self.ungotten_char = None
        word = found[1]
        return _PlainToken(IDENTIFIER, word) if word is not None else _PlainToken(QUOTED_STRING, found[2])

    def _find_plain(self) -> re.Match[str] | None:
        """The next word or string, if the pattern finds it and the state of the tokenizer is nothing but a position."""
        if self.ungotten_token or self.quoting or self.after_cr or self.ungotten_char not in (None, " ", "\t"):
            return None
        return _PLAIN.match(self._text, self._file.tell() - (self.ungotten_char is not None))


class _Collector:
    """A transaction for dnspython's reader. It collects the records in file order, each with its own TTL."""

    def __init__(self, lines: _Lines, limit: int) -> None:
        self.entries: list[ZoneFileRecord] = []
        self.manager = self
        self._lines = lines
        self._limit = limit

    def origin_information(self) -> tuple[Name, bool, Name]:
        """The root, so that the reader does not skip names outside the zone: these are errors."""
        return dns.name.root, False, dns.name.root

    def _set_origin(self, origin: Name) -> None:
        """Nothing to do: the reader keeps the origin."""

    def check_put_rdataset(self, check: Any) -> None:
        """Nothing to check: `changes` decides which records can coexist."""

    def add(self, name: Name, ttl: int, rdata: Rdata) -> None:
        """Add a record; the reader calls this for each one."""
        draft = Draft(name.to_text(), dns.rdatatype.to_text(rdata.rdtype), presentation.content_of(rdata), ttl)
        self.entries.append(ZoneFileRecord(self._lines.record_start, draft))
        if len(self.entries) > self._limit:
            raise _too_many(self._limit)


def _pseudo_records(text: str) -> Iterator[ZoneFileRecord]:
    """The pseudo records in a file's comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(_COMMENT):
            fields = line.removeprefix(_COMMENT).split(None, 4)
            if len(fields) < 5 or not _TTL.fullmatch(fields[1]) or fields[2] != "IN":
                raise invalid([Problem(f"line {number}", f"{_COMMENT} is followed by NAME TTL IN TYPE CONTENT")])
            yield ZoneFileRecord(number, Draft(fields[0], fields[3], fields[4].rstrip(), int(fields[1])))


def _rdata_text(zone: Zone, record: Record) -> str:
    """The content as name servers serve it, with quotes and in ASCII; that of a pseudo record as it is."""
    content = records.rendered_content(zone, record)
    if record.type in PSEUDO:
        return content
    return presentation.text_of(presentation.rdata_of(record.type, content, dns.name.root))


def _with_lines(error: Invalid, entries: Sequence[ZoneFileRecord]) -> Invalid:
    """The same error with line numbers instead of list indexes."""
    problems: list[Problem] = []
    for problem in error.detail.get("problems", [Problem(None, error.message)]):
        index = (problem.field or "").partition(".")[0]
        if index.isdecimal():
            entry = entries[int(index)]
            text = f"{entry.draft.name} {entry.draft.type}: {problem.message}"
            problem = problem._replace(field=f"line {entry.line}", message=text)
        problems.append(problem)
    return invalid(problems)


def _without_position(error: Exception) -> str:
    """dnspython's message without `FILE:LINE: `, because LINE is that of the last token."""
    return re.sub(r"^<string>:\d+: ", "", str(error)) or "this is not a record"


def _too_many(limit: int) -> Invalid:
    return Invalid(f"A zone file has at most {limit} records.")
