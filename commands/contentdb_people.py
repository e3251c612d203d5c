"""`moonbase contentdb review | screenshot | collection | profile`: content of users."""

from collections.abc import Iterator
from typing import Any

import click


@click.group()
def review() -> None:
    """Reviews, by their ids."""


@review.command("list")
@click.option("--waiting", is_flag=True, help="Only reviews that are pending approval.")
@click.option("--by", help="Only reviews of this account.")
def list_reviews(waiting: bool, by: str | None) -> list[dict[str, Any]]:
    """List all reviews, newest first."""
    from chalicelib.contentdb.reviews import index as review_index
    from chalicelib.contentdb.store import index

    packages = index.by_id(index.catalogue.snapshot())
    return [
        {
            "id": int(entry.key),
            "package": packages[entry.value.package].key if entry.value.package in packages else None,
            **{name: getattr(entry.value, name) for name in ("author", "rating", "title", "approved")},
        }
        for entry in review_index.newest_first(review_index.catalogue.snapshot())
        if not (waiting and entry.value.approved) and by in (None, entry.value.author)
    ]


@review.command("approve")
@click.argument("number", metavar="ID", type=int)
def approve_review(number: int) -> dict[str, Any]:
    """Approve a pending review, so that lists show it."""
    from chalicelib.contentdb.reviews import lifecycle

    approved = lifecycle.approve(*_package_of(number), number)
    return {"id": number, "approved": approved.approved}


@review.command("refuse")
@click.argument("number", metavar="ID", type=int)
@click.option("--reason", required=True, help="A text for the author.")
def refuse_review(number: int, reason: str) -> None:
    """Delete a pending review, and tell its author why."""
    from chalicelib.contentdb.reviews import lifecycle
    from chalicelib.contentdb.texts import plain

    lifecycle.refuse(*_package_of(number), number, plain.text("reason", reason, 2, 2000))


@review.command("delete")
@click.argument("numbers", metavar="[ID]...", type=int, nargs=-1)
@click.option("--by", help="All reviews of this account, for example one that was banned.")
def delete_reviews(numbers: tuple[int, ...], by: str | None) -> dict[str, Any]:
    """Delete reviews, with their votes."""
    from chalicelib.contentdb.reviews import lifecycle

    every = [*numbers, *(_ids_by(by) if by else ())]
    for number in every:
        lifecycle.delete(*_package_of(number), number)
    return {"deleted": len(every)}


@click.group()
def screenshot() -> None:
    """Screenshots of a package, by their ids."""


@screenshot.command("list")
@click.argument("key", metavar="AUTHOR/NAME")
@click.option("--waiting", is_flag=True, help="Only screenshots that are pending approval.")
def list_screenshots(key: str, waiting: bool) -> list[dict[str, Any]]:
    """List the screenshots of a package, in order."""
    from chalicelib.contentdb.screenshots import gallery
    from chalicelib.contentdb.store import index
    from chalicelib.contentdb.store.parts import load_parts

    parts = load_parts(index.find_id(index.catalogue.snapshot(), "/".join(split(key))))
    return [
        {"id": int(shot.id), "title": shot.title, "file": shot.file, "approved": shot.approved}
        for shot in gallery.in_order(parts)
        if not (waiting and shot.approved)
    ]


@screenshot.command("approve")
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("number", metavar="ID", type=int)
def approve_screenshot(key: str, number: int) -> dict[str, Any]:
    """Approve a pending screenshot, so that it is shown."""
    from chalicelib.contentdb.screenshots import gallery

    return {"id": number, "approved": gallery.approve(*split(key), number).screenshots[number].approved}


@screenshot.command("refuse")
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("number", metavar="ID", type=int)
@click.option("--reason", required=True, help="A text for the author and the maintainers.")
def refuse_screenshot(key: str, number: int, reason: str) -> None:
    """Delete a pending screenshot, and tell the author why."""
    from chalicelib.contentdb.screenshots import gallery
    from chalicelib.contentdb.texts import plain

    gallery.refuse(*split(key), number, plain.text("reason", reason, 2, 2000))


@click.group()
def collection() -> None:
    """Collections of packages, named AUTHOR/NAME."""


@collection.command("list")
def list_collections() -> list[dict[str, Any]]:
    """List all collections, including private ones."""
    from chalicelib.contentdb.store import index

    found = sorted(index.collections(index.catalogue.snapshot()).items())
    return [
        {"collection": key.partition("#")[2], "private": each.private, "packages": len(each.items)}
        for key, each in found
    ]


@collection.command("set")
@click.argument("key", metavar="AUTHOR/NAME")
@click.argument("packages", metavar="[AUTHOR/NAME]...", nargs=-1)
def set_collection(key: str, packages: tuple[str, ...]) -> dict[str, Any]:
    """Set the packages of a collection and their order.

    Packages of ContentDB/featured come first in lists, those of ContentDB/spotlight on the homepage.
    """
    from chalicelib.contentdb.collections import curation
    from chalicelib.contentdb.store import index

    collection = curation.set_packages(*split(key), packages)
    visible = curation.visible_items(index.catalogue.snapshot(), collection, drafts=True)
    return {"collection": key, "packages": [package.key for _, _, package in visible]}


@collection.command("delete")
@click.argument("key", metavar="AUTHOR/NAME")
def delete_collection(key: str) -> None:
    """Delete a collection, but not its packages."""
    from chalicelib.contentdb.collections import curation

    curation.delete(*split(key))


@click.command()
@click.argument("username")
@click.option("--display-name", help="The name on pages.")
@click.option("--profile-pic-url", help="The address of a picture.")
@click.option("--website-url", help="The address of a website.")
@click.option("--donate-url", help="The address of a page for donations.")
@click.option("--github", help="The username at GitHub.")
@click.option("--forums", help="The username in the forum.")
def profile(username: str, **fields: str | None) -> dict[str, Any]:
    """Show or change the profile of an account.

    An empty option clears a field.
    """
    from chalicelib.contentdb.store import index, values
    from chalicelib.contentdb.users import profiles

    given = {name: text or None for name, text in fields.items() if text is not None}
    account = profiles.edit(username, given) if given else profiles.get_account(username)
    found = index.profile_of(index.catalogue.snapshot(), account.username)
    return {"username": account.username, **{name: getattr(found, name) for name in values.PROFILE}}


def split(key: str) -> tuple[str, str]:
    """The author and the name in AUTHOR/NAME."""
    author, slash, name = key.partition("/")
    if not (author and slash and name) or "/" in name:
        raise click.BadParameter(f"{key!r} is not AUTHOR/NAME")
    return author, name


def _package_of(number: int) -> tuple[str, str]:
    """The author and the name of a review's package, also of a deleted one."""
    from chalicelib.contentdb.reviews import index as review_index
    from chalicelib.contentdb.store.parts import load_parts

    entry = review_index.catalogue.snapshot().entries.get(str(number))
    if entry is None:
        raise click.BadParameter(f"there is no review {number}")
    package = load_parts(entry.value.package).package
    return package.author, package.name


def _ids_by(username: str) -> Iterator[int]:
    from chalicelib.contentdb.reviews import index as review_index

    entries = list(review_index.catalogue.snapshot().entries.values())
    return (int(entry.key) for entry in entries if entry.value.author == username)
