"""A progress bar on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def bar(ctx: click.Context, label: str, length: int) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the size of each step. Without a terminal or with --json nothing is shown."""
    if ctx.obj["as_json"] or not sys.stderr.isatty():
        yield lambda step: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as shown:
        yield shown.update
