"""A directory for files that only this process needs."""

import shutil
from pathlib import Path


def directory(space: int) -> str | None:
    """`/dev/shm`, which is in memory, if it has more than `space` free bytes; else None, for the default directory."""
    memory = Path("/dev/shm")  # noqa: S108
    return str(memory) if memory.exists() and shutil.disk_usage(memory).free > space else None
