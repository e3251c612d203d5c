"""Runs the command line, and says what is wrong in one line, or as JSON when that was asked for."""

import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.core.errors import CoreError
from commands import stack


def run(arguments: Sequence[str]) -> NoReturn:
    """Leave with 0, or with the code that the command chose; with 1 for a refusal; with 2 for words that are none."""
    try:
        if (name := stack.named(arguments)) and not {"-h", "--help"} & set(arguments):
            stack.enter(name)
        from commands.main import main  # here, because the settings are read with it, and may be wrong

        code = main.main(list(arguments), prog_name="moonbase", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        _refuse(arguments, error.format_message(), error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except (CoreError, OSError, ValueError, sqlite3.Error, BotoCoreError, ClientError, PynamoDBException) as error:
        message = str(error) or type(error).__name__
        click.echo(f"moonbase: {message}", err=True)
        _refuse(arguments, message, 1)
    sys.exit(code)


def _refuse(arguments: Sequence[str], message: str, code: int) -> NoReturn:
    if "--json" in arguments:
        click.echo(json.dumps({"error": message}))
    sys.exit(code)
