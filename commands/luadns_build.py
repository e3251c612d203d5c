"""`moonbase luadns build`: zones from the files of a working copy."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from chalicelib.luadns.git.plan import ZonePlan
    from chalicelib.luadns.history import RecordState


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--account", required=True, metavar="ACCOUNT", help="The owner of the zones.")
@click.option("--zone", "only", metavar="ZONE", help="Only this zone.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--prune", is_flag=True, help="Delete zones that were built from files that are not there any more.")
@click.option("--adopt", is_flag=True, help="Also change zones that exist and were not built from files.")
@click.pass_context
def build(
    ctx: click.Context, folder: Path, account: str, only: str | None, dry_run: bool, prune: bool, adopt: bool
) -> list[dict[str, Any]] | None:
    """Build the zones of ACCOUNT from the files in FOLDER, such as example.com.lua.

    An error in one file changes nothing.
    """
    from chalicelib.core.identity import accounts
    from chalicelib.luadns.git import plan, publishing, sources
    from chalicelib.luadns.language.evaluation import Faulty
    from chalicelib.luadns.store import Owner

    owner, wanted = Owner(int(accounts.named(account).id)), only and only.lower().removesuffix(".")
    try:
        found = sources.of_files(sources.of_directory(folder))
        plans = plan.make(owner, found, plan.Choices(prune, adopt), lambda name: wanted in (None, name))
    except Faulty as error:
        if ctx.obj["as_json"]:
            raise
        click.echo("\n".join(map(str, error.faults)), err=True)
        ctx.exit(1)
    if not dry_run:
        publishing.publish(owner, plans)
    if ctx.obj["as_json"]:
        return [{**publishing.described(each), **_difference(each)} for each in plans]
    for each in plans:
        _show(each)
    return None


def _difference(plan: "ZonePlan") -> dict[str, list[str]]:
    return {
        "removed": list(map(_line, plan.difference.removed)),
        "added": list(map(_line, plan.difference.added)),
        "secondaries": [each.address for each in plan.transfers],
    }


def _show(plan: "ZonePlan") -> None:
    """Print a zone and its difference, sorted so that a changed record stands below its former state."""
    click.echo(f"{plan.name}: {plan.action}")
    lines = [(state.name.lower(), state.type, "-", _line(state)) for state in plan.difference.removed]
    lines += [(state.name.lower(), state.type, "+", _line(state)) for state in plan.difference.added]
    for _, _, sign, text in sorted(lines, key=lambda line: (line[0], line[1], line[2] == "+", line[3])):
        click.echo(f"  {sign} {text}")
    if plan.moves_transfers:
        click.echo(f"  secondaries: {', '.join(each.address for each in plan.transfers) or 'none'}")


def _line(state: "RecordState") -> str:
    return f"{state.name} {state.ttl} {state.type} {state.content}"
