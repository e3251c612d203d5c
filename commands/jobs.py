"""`moonbase jobs`: promised work."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from chalicelib.core import jobs as rules

if TYPE_CHECKING:
    from chalicelib.core.tables import Job


@click.group()
def jobs() -> None:
    """Work that follows a write, or the clock."""


@jobs.command("list")
def list_() -> list[dict[str, Any]]:
    """The jobs that are yet to be done, oldest first."""
    return [
        {**_row(job), "due_at": datetime.fromtimestamp(float(job.due_at), UTC).isoformat(timespec="seconds")}
        for job in rules.waiting()
    ]


@jobs.command()
@click.argument("name", required=False)
def run(name: str | None) -> dict[str, Any]:
    """Do what is due now; a server does this by itself. With NAME: do this repeating job, due or not."""
    import app  # noqa: F401  (with it every service, and so every handler, is there)

    if name is None:
        return {"done": rules.run_due()}
    rules.run_now(name)
    return {"done": 1}


@jobs.command()
def dead() -> list[dict[str, Any]]:
    """The jobs that were given up, oldest first."""
    return [{**_row(job), "error": job.error} for job in rules.dead()]


@jobs.command()
@click.argument("id")
def retry(id: str) -> dict[str, Any]:
    """Take the job with this ID from the dead; it is due at once."""
    return _row(rules.retry(id))


def _row(job: "Job") -> dict[str, Any]:
    return {"id": job.sk, "name": job.name, "attempts": int(job.attempts), "payload": job.payload}
