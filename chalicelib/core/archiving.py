"""The archived state of a work: lists omit it, its files and its name stay, and its reason is public."""

from chalicelib.core.errors import Invalid

LONGEST_REASON = 200  # characters


def check_reason(reason: str | None) -> str | None:
    """Return the reason of an archived work, None for none. Raises Invalid."""
    if reason is not None and not (reason.isprintable() and 0 < len(reason.strip()) <= LONGEST_REASON):
        raise Invalid(f"A reason is one line of at most {LONGEST_REASON} characters.", field="reason")
    return reason
