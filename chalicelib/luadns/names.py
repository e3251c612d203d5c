"""Names of zones and records. Both functions raise ValueError with what is to be told."""

import re

_LABEL = re.compile(r"[A-Za-z0-9_*/-]{1,63}")  # `/` as in the reverse zones of RFC 2317
_ZONE_LABEL = re.compile(r"(?!-)[a-z0-9_/-]{1,63}(?<!-)")
_LONGEST = 253


def zone_name(text: str) -> str:
    """A zone's name in lower case, without the last dot: two labels at least, as nobody is given a top-level domain."""
    name = _to_ascii(text.strip().removesuffix(".")).lower()
    labels = name.split(".")
    if len(name) > _LONGEST or len(labels) < 2 or not all(_ZONE_LABEL.fullmatch(label) for label in labels):
        raise ValueError("invalid name")
    return name


def record_name(text: str, zone: str) -> str:
    """A record's absolute name, the letters as they came, with its last dot.

    A name without one is the zone's own or one below when it ends with that, else it is meant relative to the zone;
    an empty one and `@` mean the apex.
    """
    name = _to_ascii(text)
    if name in ("", "@"):
        return f"{zone}."
    if not name.endswith("."):
        name = f"{name}." if _within(name, zone) else f"{name}.{zone}."
    bare = name[:-1]
    if len(bare) > _LONGEST or not all(_LABEL.fullmatch(label) for label in bare.split(".")):
        raise ValueError("invalid name")
    if not _within(bare, zone):
        raise ValueError(f"name is not in the zone {zone}")
    return name


def is_absolute(text: str) -> bool:
    """Whether a record's name is, as it stands, what it would be in whichever zone."""
    return text.endswith(".") and text.isascii() and len(text) <= _LONGEST + 1


def _within(name: str, zone: str) -> bool:
    return f".{name.lower()}".endswith(f".{zone}")


def _to_ascii(text: str) -> str:
    """Labels in other letters as IDNA 2008 writes them in ASCII."""
    if text.isascii():
        return text
    import idna

    if len(text) > _LONGEST:
        raise ValueError("invalid name")
    try:
        return ".".join(
            label if label.isascii() else idna.encode(label, uts46=True).decode() for label in text.split(".")
        )
    except idna.IDNAError:
        raise ValueError("invalid name") from None
