"""Questions at the terminal; with --json nothing is asked, and the option that answers the question is required."""

from typing import Any

import click


def confirm(ctx: click.Context, question: str) -> None:
    """Ask for confirmation, unless the option --yes was given. Raises Abort, or UsageError with --json."""
    if ctx.params["yes"]:
        return
    if ctx.obj["as_json"]:
        raise click.UsageError("with --json nothing is asked: add --yes", ctx)
    click.confirm(question, abort=True, err=True)


def password(ctx: click.Context, option: click.Parameter, value: str | None) -> str:
    """The callback of an option for a new password: asks for it twice if it is missing."""
    if value is not None:
        return value
    if ctx.obj["as_json"]:
        raise click.UsageError("with --json nothing is asked: add --password", ctx)
    answer: Any = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return str(answer)
