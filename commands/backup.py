"""`moonbase export` and `import`: everything in one file, and back."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, cast

import click

from chalicelib.core import backup
from chalicelib.core.directories import sync_directory
from commands.progress import bar

_KEY = click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file with the key that seals second-factor secrets in FILE; default: FILE.key.",
)


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_KEY
@click.pass_context
def export(ctx: click.Context, file: Path, key: Path | None) -> dict[str, Any]:
    """Write everything into FILE: accounts, keys, all services, all bytes. A server may be running.

    FILE must not exist. The key file is made when it is not there: keep it apart from FILE, and use it for the next
    export too if you like.
    """
    import app  # noqa: F401  (with it every service, and what its items hold, is there)
    from standalone.tables import MODELS

    key = key or file.with_name(f"{file.name}.key")
    if file.exists():
        raise FileExistsError(f"{file} exists already")
    with (
        _frozen(ctx.obj["data"], file.parent),
        _whole_or_not_at_all(file) as draft,
        bar(ctx, "exporting", backup.blob_bytes()) as progress,
    ):
        totals = backup.write(draft, MODELS, str(key), progress)
    return {"file": str(file), "key": str(key) if key.exists() else None, **asdict(totals)}


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_KEY
@click.option("--replace", is_flag=True, help="Remove what is stored here first. Without it, nothing may be.")
@click.pass_context
def import_(ctx: click.Context, file: Path, key: Path | None, replace: bool) -> dict[str, Any]:
    """Store everything that FILE holds. It is read and verified whole before anything is written."""
    import app  # noqa: F401  (with it every list, which is made anew, is there)
    from standalone.tables import MODELS

    key = key or file.with_name(f"{file.name}.key")
    with file.open("rb") as source:
        with bar(ctx, "verifying", file.stat().st_size) as progress:
            totals = backup.verify(source, MODELS, progress)
        if totals.secrets and not key.exists():
            raise FileNotFoundError(f"there is no key file {key}; name it with --key")
        with bar(ctx, "importing", 2 * file.stat().st_size) as progress:
            backup.read(source, MODELS, str(key), progress, replace=replace)
    return asdict(totals)


@contextmanager
def _whole_or_not_at_all(file: Path) -> Iterator[BinaryIO]:
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
    """On one machine the tables as they are at one moment; on AWS there is no such thing to be had."""
    if data is None:
        return nullcontext()
    from standalone.runtime import frozen

    return frozen(data, scratch)
