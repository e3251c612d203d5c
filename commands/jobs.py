"""`moonbase jobs`: promised work."""

from typing import Any

import click

from chalicelib.core import jobs as rules


@click.group()
def jobs() -> None:
    """Work that follows a write."""


@jobs.command()
def run() -> dict[str, Any]:
    """Do what is due now; a server does this by itself."""
    import app  # noqa: F401  (with it every service, and so every handler, is there)

    return {"done": rules.run_due()}


@jobs.command()
def dead() -> list[dict[str, Any]]:
    """The jobs that were given up, oldest first."""
    return [
        {"id": job.sk, "name": job.name, "attempts": int(job.attempts), "error": job.error, "payload": job.payload}
        for job in rules.dead()
    ]
