"""`moonbase jobs`: background jobs."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from chalicelib.core import job_runner, registry
from chalicelib.core import jobs as rules

if TYPE_CHECKING:
    from chalicelib.core.tables import Job


@click.group()
def jobs() -> None:
    """Background jobs, enqueued by a write or by the schedule."""


@jobs.command("list")
def list_() -> list[dict[str, Any]]:
    """List the jobs that run or wait, oldest first. A running job is due again if its process dies."""
    return [_pending_row(job) for job in rules.pending()]


@jobs.command()
@click.argument("name", required=False)
def run(name: str | None) -> dict[str, Any]:
    """Run the jobs that are due; a server does this automatically. With NAME: run this repeating job, due or not."""
    if name is None:
        return {"done": job_runner.run_due()}
    job_runner.run_now(name)
    return {"done": 1}


@jobs.command()
def dead() -> list[dict[str, Any]]:
    """List the dead-lettered jobs, oldest first."""
    return [{**_row(job), "error": job.error} for job in rules.dead()]


@jobs.command()
@click.argument("id")
def retry(id: str) -> dict[str, Any]:
    """Enqueue the dead job with this ID again; it is due at once."""
    return _row(rules.retry(id))


def _pending_row(job: "Job") -> dict[str, Any]:
    return {
        "id": job.sk,
        "name": job.name,
        "lane": registry.current().lane(job.name),
        "state": _state(job),
        "progress": job.progress,
        "attempts": int(job.attempts),
        "due_at": datetime.fromtimestamp(float(job.due_at), UTC).isoformat(timespec="seconds"),
        "payload": job.payload,
    }


def _state(job: "Job") -> str:
    if job_runner.rests(job.name):
        return "resting"
    if float(job.due_at) <= time.time():
        return "due"
    return "running" if job.leased else "waiting"


def _row(job: "Job") -> dict[str, Any]:
    return {"id": job.sk, "name": job.name, "attempts": int(job.attempts), "payload": job.payload}
