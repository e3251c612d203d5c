"""Runs the command line, and prints an error as one line, or as JSON with --json."""

import json
import os
import sqlite3
import sys
from typing import NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.core.errors import CoreError
from commands import stack
from commands.messages import message_of

# Options that print something and need no installation.
_ABOUT_ITSELF = {"-h", "--help", "--version"}


def run() -> NoReturn:
    """Run the command in `sys.argv`: the entry point of `moonbase`, both in a checkout and installed.

    Exits with 0 or the command's own code, with 1 for an error, with 2 for wrong usage.
    """
    arguments = _with_json_first(sys.argv[1:])
    try:
        if not _ABOUT_ITSELF & set(arguments):
            if name := stack.named(arguments):
                stack.enter(name)
            _name_unknown_settings()
        from commands.main import main  # not above: the import reads the settings, which may be invalid

        code = main.main(arguments, prog_name="moonbase", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        _refuse(error.format_message(), error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        click.echo("moonbase: aborted", err=True)
        _refuse("aborted", 130)
    except (CoreError, OSError, ValueError, sqlite3.Error, BotoCoreError, ClientError, PynamoDBException) as error:
        message = message_of(error)
        click.echo(f"moonbase: {message}", err=True)
        _refuse(message, 1)
    sys.exit(code)


def _with_json_first(arguments: list[str]) -> list[str]:
    """The arguments with --json before the command, wherever it was given."""
    return ["--json", *(each for each in arguments if each != "--json")] if "--json" in arguments else arguments


def _name_unknown_settings() -> None:
    """Print the variables of the environment that look like settings, because a mistyped one has no effect."""
    from chalicelib import settings  # not above: the import reads the settings, which may be invalid

    for name, similar in settings.unknown_variables(os.environ).items():
        hint = f"; did you mean {similar}?" if similar else ""
        click.echo(f"moonbase: there is no setting {name}{hint}", err=True)


def _refuse(message: str, code: int) -> NoReturn:
    if any(each.partition("=")[0] == "--json" for each in sys.argv[1:]):
        click.echo(json.dumps({"error": message}))
    sys.exit(code)
