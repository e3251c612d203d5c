"""`moonbase incident`: one command for the hour after a break-in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from commands import asking
from commands.activity import MOMENT, event_row

_TEXT = "This server checks a security incident: nothing can be changed for now, and keys are made anew."


@click.command()
@click.option(
    "--since", type=MOMENT, required=True, help="When it can have begun, UTC: what was published since is written."
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file for that list."
)
@click.option("--service", "services", multiple=True, help="Only keys of this service; can be repeated.")
@click.option("--account", metavar="NAME", help="Only the sessions, keys and second factor of this account.")
@click.option("--made-before", type=MOMENT, help="Only keys made before this time, UTC.")
@click.option("--second-factors", is_flag=True, help="Also turn second factors off: their secrets may be known.")
@click.option("--text", default=_TEXT, help="The text for people whose request is refused.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def incident(
    ctx: click.Context,
    since: datetime,
    report: Path,
    services: tuple[str, ...],
    account: str | None,
    made_before: datetime | None,
    second_factors: bool,
    text: str,
    yes: bool,
) -> dict[str, Any]:
    """Stop all changes, end sessions, revoke keys, and list what was published.

    docs/operating.md says what to do before and after. It can be repeated.
    """
    from chalicelib.core import incident as rules
    from chalicelib.core import read_only
    from chalicelib.core.identity import accounts

    chosen = [accounts.named(account)] if account else list(accounts.list_accounts())
    suspects = rules.Suspects(services, made_before.replace(tzinfo=UTC) if made_before else None)
    asking.confirm(ctx, f"Refuse changes, and revoke sessions and keys of {len(chosen)} accounts?")
    read_only.turn_on(text)
    done = rules.revoke(chosen, suspects, second_factors=second_factors)
    return {
        "read_only": True,
        "accounts": done.accounts,
        "keys_revoked": done.keys,
        "second_factors_removed": done.second_factors,
        "published": _write_published(report, since.replace(tzinfo=UTC)),
        "report": str(report),
    }


def _write_published(report: Path, since: datetime) -> int:
    """Write what was published since then, a JSON object per line with actors, addresses and hashes."""
    from chalicelib.core import events

    found = [event for event in events.every() if event.at >= since]
    report.write_text("".join(f"{json.dumps(event_row(event))}\n" for event in found))
    return len(found)
