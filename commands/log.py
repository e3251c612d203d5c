"""`moonbase log`: the transparency log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands import asking

if TYPE_CHECKING:
    from chalicelib.core.transparency.tables import LogKey


@click.group()
def log() -> None:
    """The transparency log of everything published here."""


@log.command()
def show() -> dict[str, Any]:
    """Show the size of the log, its keys and its newest checkpoint."""
    from chalicelib.core.transparency import keys
    from chalicelib.core.transparency import log as rules

    head, stored = rules.find_head(), keys.stored()
    return {
        "origin": (keys.active(stored)[-1].name if stored else keys.default_origin()),
        "size": int(head.size) if head else 0,
        "keys": [keys.verifier(key).text for key in keys.active(stored)],
        "retired": [keys.verifier(key).text for key in stored if key.retired_at],
        "checkpoint": head.checkpoint if head else None,
    }


@log.command()
@click.argument("index", type=click.IntRange(0))
def entry(index: int) -> dict[str, Any]:
    """Show the entry INDEX, with the actor that its commitment hides."""
    from chalicelib.core.transparency import log as rules
    from chalicelib.core.transparency.entries import files_of
    from chalicelib.core.transparency.tables import LogOpening

    found = rules.entry(index)
    opening = LogOpening.find("log-openings", found.sk)
    actor = json.loads(opening.actor) if opening else {}
    return {
        **{name: value for name, value in json.loads(found.body).items() if name != "files"},
        **(json.loads(opening.work) if opening and opening.work else {}),
        "files": [f"{file.get('name', '-')} {file['sha256']} {file['size']}" for file in files_of(found)],
        "actor_name": actor.get("name") if opening else "erased",
        "actor_key": actor.get("key"),
        "actor_address": actor.get("address"),
    }


@log.command()
@click.option("--since", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An older checkpoint.")
@click.pass_context
def verify(ctx: click.Context, since: Path | None) -> dict[str, Any]:
    """Verify the whole log, and that it names every served file.

    The exit code is 1 for a fault.

    The older checkpoint proves that no entry was changed or removed since then. Keep it on another machine.
    """
    from chalicelib.core.transparency import verifying

    seen = verifying.Verified()
    faults = list(verifying.verify(seen, since.read_text(errors="replace") if since is not None else None))
    ctx.obj["exit_code"] = 1 if faults else 0
    return {
        "entries": seen.entries,
        "files": seen.files,
        "faults": [{"subject": one.subject, "message": one.message} for one in faults]
        if ctx.obj["as_json"]
        else [f"  {one.subject}: {one.message}" for one in faults],
    }


@log.command("rotate-key")
@click.option("--origin", metavar="HOST/log", help="A new name of the log; by default it stays.")
def rotate_key(origin: str | None) -> dict[str, Any]:
    """Make a new key. It and the older keys sign each checkpoint, until `retire-keys`."""
    from chalicelib.core.transparency import keys

    return _row(keys.rotate(origin))


@log.command("retire-keys")
def retire_keys() -> list[dict[str, Any]]:
    """Retire all keys but the newest one, when clients had time to learn it."""
    from chalicelib.core.transparency import keys

    return [_row(key) for key in keys.retire()]


@log.command()
@click.argument("account")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def erase(ctx: click.Context, account: str, yes: bool) -> dict[str, Any]:
    """Erase ACCOUNT as the actor of its entries; the entries stay valid."""
    from chalicelib.core.transparency import erasing

    asking.confirm(ctx, f"Erase {account} from the log for good?")
    return {"erased": erasing.erase(account)}


def _row(key: "LogKey") -> dict[str, Any]:
    from chalicelib.core.transparency import keys

    return {
        "key": keys.verifier(key).text,
        "created_at": key.created_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
    }
