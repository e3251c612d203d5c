"""A progress bar for people, on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def bar(ctx: click.Context, label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Give what is to be told each step; with --json, and where nobody watches, nothing is shown."""
    if ctx.obj["as_json"] or not sys.stderr.isatty():
        yield lambda step: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as shown:
        yield shown.update
