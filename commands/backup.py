"""`moonbase export` and `import`: a backup of the whole installation in one file, and its restore."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

import click

from chalicelib.core import backup
from chalicelib.core.backup_items import Totals
from chalicelib.core.directories import sync_directory
from commands.messages import message_of
from commands.progress import bar

_KEY = click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The key file that seals the second-factor secrets in FILE; default: FILE.key.",
)


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_KEY
@click.pass_context
def export(ctx: click.Context, file: Path, key: Path | None) -> dict[str, Any]:
    """Write the whole installation to FILE, a backup.

    It contains accounts, keys, the data of all services, and all uploaded files.

    The server may be running. FILE must not exist. The key file is created if it does not exist: store it apart from
    FILE. Further exports may use the same key file.
    """
    key = key or file.with_name(f"{file.name}.key")
    if file.exists():
        raise FileExistsError(f"{file} exists already")
    with (
        _frozen(ctx.obj["data"], file.parent),
        _atomically(file) as draft,
        bar(ctx, "exporting", backup.blob_bytes()) as progress,
    ):
        totals = backup.write(draft, str(key), progress)
    return {"file": str(file), "key": str(key) if key.exists() else None, **asdict(totals)}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_KEY
@click.option(
    "--replace", is_flag=True, help="Delete all stored data first. Without it, the installation must be empty."
)
@click.pass_context
def import_(ctx: click.Context, file: Path, key: Path | None, replace: bool) -> dict[str, Any]:
    """Store the content of FILE, a backup. It is read and verified whole before anything is written."""
    key = key or file.with_name(f"{file.name}.key")
    with file.open("rb") as source:
        with bar(ctx, "verifying", file.stat().st_size) as progress:
            totals = _verify(source, key, progress)
        with bar(ctx, "importing", 2 * file.stat().st_size) as progress:
            backup.read(source, str(key), progress, replace=replace)
    return asdict(totals)


def _verify(source: BinaryIO, key: Path, progress: backup.Progress) -> Totals:
    try:
        return backup.verify(source, str(key), progress)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{message_of(error)}; set it with --key") from None


@contextmanager
def _atomically(file: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that becomes `file` at the end of the block, unless an error is raised."""
    with NamedTemporaryFile(dir=file.parent, prefix=".export-", delete=False) as draft:
        try:
            yield cast(BinaryIO, draft)
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).replace(file)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    sync_directory(file.parent)


def _frozen(data: Path | None, scratch: Path) -> AbstractContextManager[None]:
    """Freeze the tables at one moment, on one machine; AWS has no such snapshot."""
    if data is None:
        return nullcontext()
    from standalone.runtime import frozen

    return frozen(data, scratch)
