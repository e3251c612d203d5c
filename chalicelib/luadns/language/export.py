"""Writes a zone in the language of zone files: a build of the file changes nothing."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chalicelib import settings
from chalicelib.luadns import records
from chalicelib.luadns.tables import Record, Zone


class CallForm(NamedTuple):
    """How a record function is called: its fields in the content, and its parameters with defaults, before the TTL."""

    content: tuple[str, ...]
    parameters: tuple[tuple[str, str | None], ...]


_TARGET = ("target", None)
_FORMS = {
    **{type_: CallForm(("target",), (_TARGET,)) for type_ in ("A", "AAAA", "ALIAS", "CNAME", "NS", "PTR")},
    **{type_: CallForm(("target",), (_TARGET,)) for type_ in ("FORWARD", "SPF", "TXT")},
    "CAA": CallForm(("flag", "tag", "value"), (("value", None), ("tag", "issue"), ("flag", "0"))),
    "DS": CallForm(
        ("keytag", "algorithm", "digest_type", "digest"),
        (("keytag", None), ("digest", None), ("algorithm", "13"), ("digest_type", "2")),
    ),
    "REDIRECT": CallForm(("mode", "target"), (_TARGET, ("mode", "0"))),
    "MX": CallForm(("prio", "target"), (_TARGET, ("prio", "0"))),
    "SRV": CallForm(("prio", "weight", "port", "target"), (_TARGET, ("port", None), ("prio", "0"), ("weight", "0"))),
    "SSHFP": CallForm(("algorithm", "type", "value"), (("algorithm", None), ("value", None), ("type", "1"))),
    "TLSA": CallForm(
        ("usage", "selector", "matching", "certificate"),
        (("usage", None), ("certificate", None), ("selector", "1"), ("matching", "1")),
    ),
}
_HOSTS = {"ALIAS", "CNAME", "NS", "PTR", "MX", "SRV"}  # types whose target the language completes with a dot
_ANY = CallForm(("type", "content"), (("type", None), ("content", None)))
_NUMBERS = {"flag", "keytag", "algorithm", "digest_type", "mode", "prio", "weight", "port", "type", "usage"} | {
    "selector",
    "matching",
}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,4}")
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')


def export(zone: Zone, found: Iterable[Record]) -> str:
    """Return the file of a zone, by name and type; the same records give the same file."""
    own = [record for record in found if not records.is_managed(zone, record.name, record.type, record.content)]
    lines = [f"-- {zone.name}"]
    previous: str | None = None
    for record in sorted(own, key=lambda each: _order(zone, each)):
        if record.name.lower() != previous:
            lines.append("")
            previous = record.name.lower()
        lines.append(_call(zone, record))
    return "\n".join(lines) + "\n"


def _order(zone: Zone, record: Record) -> tuple[bool, list[str], str, int]:
    labels = record.name.lower().split(".")[::-1]
    return not records.is_apex(zone, record.name), labels, record.type, int(record.id)


def _call(zone: Zone, record: Record) -> str:
    """The call of the function that makes the record; `record(...)` if no other one makes this very content."""
    function, form, values = record.type.lower(), _FORMS.get(record.type), None
    if form:
        values = _values(record.type, form, record.content)
    if form is None or values is None:
        function, form, values = "record", _ANY, {"type": record.type, "content": record.content}
    arguments = [_quoted(_relative(zone, record.name))]
    arguments += [_rendered(name, values[name], form) for name, _ in form.parameters]
    ttl = int(record.ttl)
    if ttl != settings.current().luadns_ttl:
        return f"{function}({', '.join([*arguments, str(ttl)])})"
    return f"{function}({', '.join(_without_defaults(form, values, arguments))})"


def _values(type_: str, form: CallForm, content: str) -> dict[str, str] | None:
    """The fields of a content; None if the function would make another content of them."""
    parts = content.split(" ", len(form.content) - 1)
    values = dict(zip(form.content, parts, strict=False))
    if len(parts) != len(form.content) or any(part[:1] in ("", " ") for part in parts):
        return None
    if any(name in _NUMBERS and not _NUMBER.fullmatch(value) for name, value in values.items()):
        return None
    if type_ in _HOSTS and not values["target"].endswith("."):
        return None
    return values


def _without_defaults(form: CallForm, values: dict[str, str], arguments: Sequence[str]) -> list[str]:
    """The arguments without those at the end that are the defaults; the first one is the name."""
    kept = list(arguments)
    for name, default in reversed(form.parameters):
        if default is None or values[name] != default:
            break
        kept.pop()
    return kept


def _rendered(name: str, value: str, form: CallForm) -> str:
    return value if name in _NUMBERS and form is not _ANY else _quoted(value)


def _relative(zone: Zone, name: str) -> str:
    """The name in the zone, or the absolute one where a relative name would mean something else."""
    if name == f"{zone.name}.":
        return ""
    relative = name.removesuffix(f".{zone.name}.")
    lower = relative.lower()
    if relative == name or relative.endswith("\\") or lower == zone.name or lower.endswith(f".{zone.name}"):
        return name
    return relative


def _quoted(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return f"\\{letter}" if letter in '\\"' else f"\\{ord(letter):03d}"
