"""Runs the command line in forks of a process that has imported it, which saves half a second for each command.

`multiprocessing` keeps that process; a fork has its own arguments, working directory, environment and output.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["app", "commands.main", "commands.run", "standalone.runtime", "tests.warm"])

PROGRAM = Path(__file__).parent.parent / "moonbase"


def run(arguments: Sequence[str], timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run `moonbase` with these arguments; return its exit code and output. Raises TimeoutError.

    With settings in the environment it runs as a program, because the import reads them.
    """
    if any(name.startswith("MOONBASE_") for name in os.environ):
        command = [sys.executable, str(PROGRAM), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    with tempfile.TemporaryDirectory(prefix="warm-") as directory:
        stdout, stderr = Path(directory) / "stdout", Path(directory) / "stderr"
        given = ([str(PROGRAM), *arguments], dict(os.environ), str(Path.cwd()), str(stdout), str(stderr))
        process = _context.Process(target=_command, args=given)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"moonbase {' '.join(arguments)} takes too long")
        output = stdout.read_text(), stderr.read_text()
        return subprocess.CompletedProcess(given[0], process.exitcode, *output)


def _command(arguments: list[str], environment: dict[str, str], directory: str, stdout: str, stderr: str) -> NoReturn:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, stdout), (2, stderr)):
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    sys.argv = arguments
    from commands.run import run as run_command

    try:
        run_command()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
