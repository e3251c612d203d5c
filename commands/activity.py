"""`moonbase activity`: the audit log, and the published events."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from chalicelib.core.activity import ActivityFilter, Described
    from chalicelib.core.published import Event

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@click.command()
@click.option("--account", metavar="NAME", help="Only the log of this account: its actions, and actions on it.")
@click.option("--actor", metavar="NAME", help="Only actions of this user.")
@click.option("--action", help="Only this action, such as rock.publish, or all of rock. With --published: publish, ...")
@click.option("--subject", metavar="TEXT", help="Only subjects that contain this text.")
@click.option("--since", type=MOMENT, help="Only actions at or after this time, UTC.")
@click.option("--until", type=MOMENT, help="Only actions before this time, UTC.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="0: all.")
@click.option(
    "--published", is_flag=True, help="Instead all changes of published works, oldest first, with file hashes."
)
@click.option("--lines", is_flag=True, help="Print JSON, one object per line.")
@click.pass_context
def activity(
    ctx: click.Context,
    account: str | None,
    actor: str | None,
    action: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    published: bool,
    lines: bool,
) -> list[dict[str, Any]] | None:
    """List who did what on this server, newest first."""
    from chalicelib.core.activity import ActivityFilter

    if lines and ctx.obj["as_json"]:
        raise click.UsageError("--lines prints one object per line, and --json one document: choose one")
    if published and account:
        raise click.UsageError("--published lists the events of all accounts; --actor selects those of one")
    wanted = ActivityFilter(actor, action, subject, _utc(since), _utc(until))
    as_text = not (lines or ctx.obj["as_json"])
    found = islice(_published(wanted, as_text) if published else _entries(wanted, account, as_text), limit or None)
    if not lines:
        return list(found)
    for row in found:
        click.echo(json.dumps(row))
    return None


def _entries(wanted: "ActivityFilter", name: str | None, as_text: bool) -> Iterator[dict[str, Any]]:
    from chalicelib.core import activity as log
    from chalicelib.core.identity import accounts

    number = int(accounts.named(name).id) if name else None
    return map(_line if as_text else _row, log.everything(wanted, number))


def _line(found: "Described") -> dict[str, Any]:
    return {"at": _time(found.entry.at), "address": found.address, "what": found.text}


def _row(found: "Described") -> dict[str, Any]:
    entry = found.entry
    return {
        "at": _time(entry.at),
        "text": found.text,
        "action": entry.action,
        "subject": entry.subject,
        "account": found.account,
        "by": found.actor,
        "credential": int(entry.credential_id) if entry.credential_id else None,
        "service": found.service,
        "key": found.key,
        "address": found.address,
        "detail": entry.detail,
    }


def _published(wanted: "ActivityFilter", as_text: bool) -> Iterator[dict[str, Any]]:
    from chalicelib.core import events

    found = (event for event in events.every() if _matches(event, wanted))
    return map(_event_line if as_text else event_row, found)


def _matches(event: "Event", wanted: "ActivityFilter") -> bool:
    return (
        (wanted.actor is None or wanted.actor.lower() == (event.actor or "").lower())
        and (wanted.action is None or wanted.action == event.action)
        and (wanted.subject is None or wanted.subject.lower() in event.name.lower())
        and (wanted.since is None or wanted.since <= event.at)
        and (wanted.until is None or event.at < wanted.until)
    )


def _event_line(event: "Event") -> dict[str, Any]:
    return {
        "at": _time(event.at),
        "service": event.service,
        "action": f"{event.action} {event.kind}",
        "work": " ".join(filter(None, (event.name, event.version))),
        "by": event.actor,
        "key": event.key,
        "address": event.address,
        "files": len(event.files),
    }


def event_row(event: "Event") -> dict[str, Any]:
    """A published event as JSON, with its actor's key and address."""
    return {**event.public(), "credential": event.credential, "key": event.key, "address": event.address}


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
