"""`moonbase contentdb`: packages and reference data; the rest is in contentdb_people.py."""

from typing import Any, BinaryIO

import click

from commands.contentdb_people import collection, profile, review, split


@click.group()
def contentdb() -> None:
    """Luanti packages, as an administrator sees them."""


@contentdb.group()
def package() -> None:
    """Packages, named AUTHOR/NAME."""


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.option("--type", "type_", required=True, type=click.Choice(["MOD", "GAME", "TXP"], case_sensitive=False))
@click.option("--title", required=True)
@click.option("--license", "license_", required=True, help="Of the code, as ContentDB names it: MIT, LGPL-2.1-only ...")
@click.option("--media-license", help="Of pictures and sounds; without it, that of the code.")
@click.option("--short-description")
def create(
    key: str, type_: str, title: str, license_: str, media_license: str | None, short_description: str | None
) -> dict[str, Any]:
    """Make a draft. The author must have an account."""
    from chalicelib.contentdb.packages import registry

    given = {
        "type": type_,
        "title": title,
        "license": license_,
        "media_license": media_license,
        "short_description": short_description,
    }
    made = registry.create(*split(key), {name: value for name, value in given.items() if value is not None})
    return {"id": int(made.id), "package": made.key, "state": made.state}


@package.command("list")
@click.option("--state", help="WIP, CHANGES_NEEDED, READY_FOR_REVIEW or APPROVED; without it, all of them.")
def list_(state: str | None) -> list[dict[str, Any]]:
    """The packages that are not deleted, oldest first."""
    from chalicelib.contentdb.store import index

    values = [entry.value for entry in index.packages(index.catalogue.snapshot())]
    return [
        {"package": f"{value['author']}/{value['name']}", "type": value["type"], "state": value["state"]}
        for value in sorted(values, key=lambda value: int(value["id"]))
        if state is None or value["state"] == state.upper()
    ]


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("usernames", nargs=-1)
def maintainers(key: str, usernames: tuple[str, ...]) -> dict[str, Any]:
    """Say who looks after a package beside its author: USERNAMES, or nobody."""
    from chalicelib.contentdb.packages import registry

    changed = registry.set_maintainers(*split(key), usernames).package
    return {"package": changed.key, "maintainers": [changed.author, *changed.maintainers]}


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("names", metavar="[AUTHOR/NAME]...", nargs=-1)
def aliases(key: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Say under which other names a package is found."""
    from chalicelib.contentdb.packages import registry

    changed = registry.set_aliases(*split(key), names).package
    return {"package": changed.key, "aliases": list(changed.aliases)}


def _step(step: str, help_: str) -> None:
    """Declare a command that takes a package to another state."""

    @package.command(step, help=help_)
    @click.argument("key", metavar="AUTHOR/NAME")
    def take(key: str) -> dict[str, Any]:
        from chalicelib.contentdb.packages import states

        changed, found = states.take(step, *split(key))
        return {"package": changed.key, "state": changed.state, "warnings": found}


for name, help_ in (
    ("submit", "Put it up for review."),
    ("approve", "Let lists show it, also when something speaks against it; that is told as warnings."),
    ("request-changes", "Send it back to its author."),
    ("unapprove", "Make it a draft again."),
    ("delete", "Take it away from everybody; it can be restored."),
    ("restore", "Bring a deleted package back, to be reviewed."),
):
    _step(name, help_)


@contentdb.group()
def topics() -> None:
    """Topics of the forum, which /api/topics/ shows."""


@topics.command("import")
@click.argument("file", type=click.File("rb"))
def import_(file: BinaryIO) -> dict[str, Any]:
    """Put the topics of a JSON FILE in the place of all that there were.

    It is an array of objects as /api/topics/ shows them: id, title, author, type (mod, game or txp), created_at; and,
    if you like, name, link, is_wip, posts, views. If anything is wrong with any of them, nothing is changed.
    """
    from chalicelib.contentdb.topics import file as topic_file
    from chalicelib.contentdb.topics import forum

    return {"topics": forum.replace(file.read(topic_file.LARGEST + 1))}


@contentdb.command()
def seed() -> dict[str, Any]:
    """Store the reference data that is not there yet; tells how many rows were added. A server does this by itself."""
    from chalicelib.contentdb.store import reference

    return dict(reference.seed())


for group in (collection, profile, review):
    contentdb.add_command(group)
