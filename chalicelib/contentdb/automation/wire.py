"""The detection of updates as JSON."""

from datetime import datetime
from typing import Any

from chalicelib.contentdb import wire
from chalicelib.contentdb.automation.updates import Wanted
from chalicelib.contentdb.store.tables import UpdateCheck
from chalicelib.contentdb.store.values import iso
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

_FIELDS = ("trigger", "ref", "make_release")


def parse_updates(request: Request) -> Wanted:
    """How a package is checked, see `render_updates`. Raises Invalid."""
    data = wire.parse_object(request, _FIELDS)
    trigger, ref, make_release = data.get("trigger", "TAG"), data.get("ref"), data.get("make_release", True)
    if not isinstance(trigger, str):
        raise Invalid("trigger must be a str")
    if ref is not None and not isinstance(ref, str):
        raise Invalid("ref must be a str")
    if not isinstance(make_release, bool):
        raise Invalid("make_release must be a bool")
    return Wanted(trigger.upper(), ref or None, make_release)


def render_updates(check: UpdateCheck, next_check: datetime | None) -> Value:
    """How a package is checked, and the result of the last check. Dates are null before the first one."""
    dates: dict[str, Any] = {
        "outdated_at": check.outdated_at,
        "last_checked_at": check.last_checked_at,
        "next_check_at": next_check,
    }
    return {
        **{name: getattr(check, name) for name in _FIELDS},
        "last_commit": check.last_commit,
        "last_tag": check.last_tag,
        **{name: iso(date) if date else None for name, date in dates.items()},
        "failures": int(check.failures),
        "error": check.error,
    }
