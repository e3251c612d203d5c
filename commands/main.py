"""The root of the command line: selects the installation, and prints the results of commands."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from chalicelib import __version__
from commands import (
    activity,
    backup,
    catalogues,
    contentdb,
    contentdb_moderation,
    fsck,
    hel,
    incident,
    invitations,
    jobs,
    keys,
    log,
    luadns,
    luarocks,
    names,
    read_only,
    serve,
    sessions,
    two_factor,
    users,
)
from commands.choices import installed
from commands.stack import VARIABLE


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MOONBASE_DATA",
    help="The data directory of a one-machine server, which may be running. Default: the installation on AWS "
    "that --stack or the environment (MOONBASE_BLOBS=s3://BUCKET) selects, else ./data.",
)
@click.option("--stack", envvar=VARIABLE, metavar="NAME", help="The installation on AWS with this stack.")
@click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document, and ask nothing.")
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, data: Path | None, stack: str | None, as_json: bool) -> None:
    """Moonbase: LuaRocks, ContentDB, LuaDNS and Hel on your own server.

    \b
    First steps:
      moonbase --data DIR serve
      moonbase --data DIR user create NAME --email NAME@example.org
      moonbase --data DIR key create NAME --service luarocks

    `moonbase COMMAND --help` describes a command.
    """
    if data is not None and stack:
        raise click.UsageError(f"--data and --stack exclude each other (as do MOONBASE_DATA and {VARIABLE})")
    if data is None and not os.environ.get("MOONBASE_BLOBS", "").startswith("s3:"):
        data = Path("data")
    ctx.obj = {"data": data, "as_json": as_json}
    if ctx.invoked_subcommand == "serve" or _help_requested():
        return
    installed().require_offered(ctx.invoked_subcommand or "")
    if data is not None:
        from standalone.runtime import open_data

        if not (data.exists() or _may_create_data(ctx)):
            raise FileNotFoundError(f"there is no data directory {data}; `moonbase serve` creates one")
        open_data(data)


@main.result_callback()
def show(result: Any, data: Path | None, stack: str | None, as_json: bool) -> None:
    """Print the result of a command: a mapping, a list of mappings, or None."""
    if as_json:
        click.echo(json.dumps(result))
    elif isinstance(result, Mapping):
        _show_one(result)
    elif isinstance(result, list):
        _show_rows(result)
    context = click.get_current_context()
    context.exit(context.obj.get("exit_code", 0))


def _show_one(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        text = "\n".join(map(_line, value or ["none"])) if isinstance(value, list) else _plain(value)
        click.echo(f"{name}: {text}" if "\n" not in text else f"{name}:\n{text}")


def _show_rows(rows: list[Mapping[str, Any]]) -> None:
    if not rows:
        click.echo("none")
        return
    table = [list(rows[0]), *([_plain(value) for value in row.values()] for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _line(value: Any) -> str:
    return ": ".join(map(_plain, value.values())) if isinstance(value, Mapping) else _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    return str(value) if not isinstance(value, bool) else ("yes" if value else "no")


def _help_requested() -> bool:
    return bool({"-h", "--help"} & set(sys.argv))


def _may_create_data(ctx: click.Context) -> bool:
    """Whether the command may create a data directory; others would only hide a mistyped path."""
    return {"user", "create"} <= set(sys.argv) or ctx.invoked_subcommand == "import"


for command in (
    serve.serve,
    users.user,
    activity.activity,
    incident.incident,
    invitations.invitation,
    sessions.session,
    keys.key,
    two_factor.two_factor,
    jobs.jobs,
    log.log,
    read_only.read_only,
    catalogues.catalogue,
    luarocks.luarocks,
    contentdb.contentdb,
    contentdb_moderation.queue,
    luadns.luadns,
    hel.hel,
    names.name,
    backup.export,
    backup.import_,
    fsck.fsck,
):
    main.add_command(command)
