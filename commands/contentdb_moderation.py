"""`moonbase queue`, and `moonbase contentdb comments | report`: what waits for moderators, and conversations."""

from typing import Any

import click

from commands.contentdb_people import split


@click.command()
def queue() -> list[dict[str, Any]]:
    """List what waits for moderators in all services, oldest first."""
    from chalicelib.web import queues

    return [
        {
            "service": service,
            "type": each.kind,
            "title": each.title,
            "author": each.author,
            "since": f"{each.since:%Y-%m-%d %H:%M}",
            "path": each.path,
            "details": "; ".join(each.details),
        }
        for service, waiting in queues.of(None).items()
        for each in waiting
    ]


@click.command()
@click.argument("key", metavar="AUTHOR/NAME")
def comments(key: str) -> list[dict[str, Any]]:
    """List the comments on the approval of a package, oldest first."""
    from chalicelib.contentdb.store import comments as stored
    from chalicelib.contentdb.store import index

    number = index.find_id(index.catalogue.snapshot(), "/".join(split(key)))
    return [
        {
            "id": int(each.id),
            "author": each.author or None,
            "at": f"{each.created_at:%Y-%m-%d %H:%M}",
            "step": each.step,
            "comment": each.text,
        }
        for each in stored.load(stored.of_package(number)).comments
    ]


@click.group()
def report() -> None:
    """Reports of abuse, by their ids; `queue` lists the open ones."""


@report.command()
@click.argument("number", metavar="ID", type=int)
def show(number: int) -> dict[str, Any]:
    """Show a report."""
    from chalicelib.contentdb.moderation import reports
    from chalicelib.contentdb.moderation.wire import render_report

    return render_report(reports.get(number, None))


@report.command()
@click.argument("number", metavar="ID", type=int)
@click.argument("outcome", type=click.Choice(["completed", "content_removed", "no_action"]))
@click.option("--reason", default="", help="An answer to the author.")
def close(number: int, outcome: str, reason: str) -> dict[str, Any]:
    """Close a report with an OUTCOME, and notify its author."""
    from chalicelib.contentdb.moderation import reports
    from chalicelib.contentdb.moderation.wire import render_report
    from chalicelib.contentdb.texts import plain

    return render_report(reports.close(number, outcome, plain.text("reason", reason, 0, 2000)))
