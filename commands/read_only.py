"""`moonbase read-only`: forbids all changes for a time."""

from typing import Any

import click

from chalicelib.core import read_only as rules


@click.group("read-only")
def read_only() -> None:
    """Forbid all changes for a time; everything can be read."""


@read_only.command("on")
@click.option("--text", default=rules.TEXT, show_default=True, help="The text for people whose request is refused.")
def turn_on(text: str) -> dict[str, Any]:
    """Refuse changes, in all processes within seconds."""
    rules.turn_on(text)
    return show_mode()


@read_only.command("off")
def turn_off() -> dict[str, Any]:
    """Accept changes again, in all processes within seconds."""
    rules.turn_off()
    return show_mode()


@read_only.command("show")
def show() -> dict[str, Any]:
    """Show the mode, and its text."""
    return show_mode()


def show_mode() -> dict[str, Any]:
    """The mode, its text, and the time from which on; without a time the setting MOONBASE_READ_ONLY turns it on."""
    found = rules.notice()
    return {
        "read_only": found is not None,
        "text": found.text if found else None,
        "since": found.since if found else None,
    }
