"""The limits of a confined worker process."""

from typing import NamedTuple


class Limits(NamedTuple):
    """The resources and the authority of one call. Durations are in seconds, sizes in bytes.

    A worker has no files and no network. With `network` it can connect to hosts, and use its scratch directory, where a
    file has at most `largest_file` bytes. With `threads` too it can start threads, but no processes.
    """

    seconds: float
    cpu_seconds: int
    memory: int  # address space of the process
    answer: int = 16 << 20
    network: bool = False
    largest_file: int = 0
    threads: bool = False
