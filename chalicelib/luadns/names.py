"""Names of zones and records. `zone_name` and `record_name` raise ValueError with the error text for the client."""

import re

# `/` as in the reverse zones of RFC 2317, `\.` as in the mailbox of an RP record
_LABEL = re.compile(r"(?:[A-Za-z0-9_*/-]|\\\.){1,63}")
_DOT = re.compile(r"(?<!\\)\.")  # between labels
_ZONE_LABEL = re.compile(r"(?!-)[a-z0-9_/-]{1,63}(?<!-)")
_ENCODING = 4  # characters by which an encoded label is longer, at least
_MAX_LENGTH = 253  # characters of a name without the trailing dot


def zone_name(text: str) -> str:
    """Normalize a zone's name: lower case, no trailing dot. It has at least two labels, so no top-level domain."""
    name = _to_ascii(text.strip().removesuffix(".")).lower()
    labels = name.split(".")
    if len(name) > _MAX_LENGTH or len(labels) < 2 or not all(_ZONE_LABEL.fullmatch(label) for label in labels):
        raise ValueError("invalid name")
    return name


def record_name(text: str, zone: str) -> str:
    """Return a record's absolute name with the trailing dot; the letter case is preserved.

    A name without a trailing dot is absolute if it is the zone's name or ends with it, otherwise relative to the zone.
    An empty name and `@` are the apex.
    """
    name = _to_ascii(text)
    if name in ("", "@"):
        return f"{zone}."
    if not name.endswith(".") or name.endswith("\\."):
        name = f"{name}." if _within(name, zone) else f"{name}.{zone}."
    bare = name[:-1]
    if len(bare) > _MAX_LENGTH or not all(_LABEL.fullmatch(label) for label in labels_of(bare)):
        raise ValueError("invalid name")
    if not _within(bare, zone):
        raise ValueError(f"name is not in the zone {zone}")
    return name


def labels_of(name: str) -> list[str]:
    """The labels of a name without the trailing dot; a dot in a label is escaped."""
    return _DOT.split(name)


def is_absolute(text: str) -> bool:
    """Whether `record_name` returns this name unchanged in any zone."""
    return text.endswith(".") and not text.endswith("\\.") and text.isascii() and len(text) <= _MAX_LENGTH + 1


def _within(name: str, zone: str) -> bool:
    lower = name.lower()
    return lower == zone or (lower.endswith(f".{zone}") and lower[-len(zone) - 2 : -len(zone) - 1] != "\\")


def _to_ascii(text: str) -> str:
    """Encode non-ASCII labels by IDNA 2008."""
    if text.isascii():
        return text
    import idna

    encoded_labels = sum(not label.isascii() for label in text.split("."))
    if len(text) + _ENCODING * encoded_labels > _MAX_LENGTH:
        raise ValueError("invalid name")
    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode() for label in text.split(".")
        )
    except idna.IDNAError:
        raise ValueError("invalid name") from None
