"""`moonbase contentdb`: packages, topics and reference data; see contentdb_people.py for the rest."""

from typing import Any, BinaryIO

import click

from commands.contentdb_moderation import comments, report
from commands.contentdb_people import collection, profile, review, screenshot, split
from commands.contentdb_updates import updates


@click.group()
def contentdb() -> None:
    """Luanti packages of ContentDB."""


@contentdb.group()
def package() -> None:
    """Packages, named AUTHOR/NAME."""


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.option(
    "--type",
    "type_",
    required=True,
    type=click.Choice(["MOD", "GAME", "TXP"], case_sensitive=False),
    help="A mod, a game or a texture pack.",
)
@click.option("--title", required=True, help="The name for people.")
@click.option(
    "--license", "license_", required=True, help="The code's license, by ContentDB's name: MIT, LGPL-2.1-only ..."
)
@click.option("--media-license", help="The license of pictures and sounds; default: the code's.")
@click.option("--short-description", help="One sentence for lists.")
def create(
    key: str, type_: str, title: str, license_: str, media_license: str | None, short_description: str | None
) -> dict[str, Any]:
    """Create a draft. The author must have an account."""
    from chalicelib.contentdb.packages import registry

    given = {
        "type": type_,
        "title": title,
        "license": license_,
        "media_license": media_license,
        "short_description": short_description,
    }
    package = registry.create(*split(key), {name: value for name, value in given.items() if value is not None})
    return {"id": int(package.id), "package": package.key, "state": package.state}


@package.command("list")
@click.option("--state", help="WIP, CHANGES_NEEDED, READY_FOR_REVIEW or APPROVED; default: all of them.")
def list_(state: str | None) -> list[dict[str, Any]]:
    """List the packages that are not deleted, oldest first."""
    from chalicelib.contentdb.store import index, rows

    found = rows.of(index.catalogue.snapshot()).by_key.values()
    return [
        {"package": row.key, "type": row.type, "state": row.state}
        for row in sorted(found, key=lambda row: row.id)
        if state is None or row.state == state.upper()
    ]


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("usernames", nargs=-1)
def maintainers(key: str, usernames: tuple[str, ...]) -> dict[str, Any]:
    """Set the maintainers of a package, besides its author.

    Without USERNAMES there are none.
    """
    from chalicelib.contentdb.packages import registry

    changed = registry.set_maintainers(*split(key), usernames).package
    return {"package": changed.key, "maintainers": [changed.author, *changed.maintainers]}


@package.command()
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("names", metavar="[AUTHOR/NAME]...", nargs=-1)
def aliases(key: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Set the other names under which a package is found."""
    from chalicelib.contentdb.packages import registry

    changed = registry.set_aliases(*split(key), names).package
    return {"package": changed.key, "aliases": list(changed.aliases)}


@package.command("webhook-token")
@click.argument("key", metavar="AUTHOR/NAME")
@click.option("--for", "username", help="The account whose releases it makes; default: the author.")
def webhook_token(key: str, username: str | None) -> dict[str, Any]:
    """Make a token with which a Git host signs webhooks of a package.

    It is shown only now; a sealed copy is kept to verify signatures.
    """
    from chalicelib.contentdb.automation import hook_tokens
    from chalicelib.contentdb.store import index
    from chalicelib.contentdb.store.parts import load_parts
    from chalicelib.core.identity import accounts

    author, name = split(key)
    parts = load_parts(index.find_id(index.catalogue.snapshot(), f"{author}/{name}"))
    credential, secret = hook_tokens.create(accounts.named(username or author), parts)
    return {"id": int(credential.id), "package": parts.package.key, "token": secret}


def _step(step: str, help_: str) -> None:
    """Declare a command that moves a package to another state."""

    @package.command(step, help=help_)
    @click.argument("key", metavar="AUTHOR/NAME")
    @click.option("--reason", default="", help="A text for the author and the maintainers.")
    def take(key: str, reason: str) -> dict[str, Any]:
        from chalicelib.contentdb.packages import states
        from chalicelib.contentdb.texts import plain

        changed, found = states.apply(step, *split(key), reason=plain.text("reason", reason, 0, 2000))
        return {"package": changed.key, "state": changed.state, "warnings": found}


for name, help_ in (
    ("submit", "Submit a package for review."),
    ("approve", "List a package, even if there are objections. They are printed as warnings."),
    ("request-changes", "Return a package to its author for changes."),
    ("unapprove", "Make a package a draft again."),
    ("delete", "Hide a package completely; it can be restored."),
    ("restore", "Restore a deleted package, for review."),
):
    _step(name, help_)


@contentdb.group()
def topics() -> None:
    """Topics of the forum, which /api/topics/ shows."""


@topics.command("import")
@click.argument("file", type=click.File("rb"))
def import_(file: BinaryIO) -> dict[str, Any]:
    """Replace all topics by those of a JSON FILE.

    FILE is an array of objects as in /api/topics/: id, title, author, type (mod, game or txp), created_at; optional
    are name, link, is_wip, posts, views. If any of them is invalid, nothing is changed.
    """
    from chalicelib.contentdb.topics import file as topic_file
    from chalicelib.contentdb.topics import forum

    return {"topics": forum.replace(file.read(topic_file.LARGEST + 1))}


@contentdb.command()
def seed() -> dict[str, Any]:
    """Store missing reference data, as a server does automatically."""
    from chalicelib.contentdb.store import reference

    return dict(reference.seed())


for group in (collection, comments, profile, report, review, screenshot, updates):
    contentdb.add_command(group)
