"""`moonbase contentdb updates`: the detection of updates in the repositories of packages."""

from typing import Any

import click

from commands.contentdb_people import split


@click.group()
def updates() -> None:
    """The detection of updates of packages, named AUTHOR/NAME."""


@updates.command("list")
@click.option("--failing", is_flag=True, help="Only packages whose last check failed.")
def list_(failing: bool) -> list[dict[str, Any]]:
    """List the packages that are checked, with the result of the last check."""
    from chalicelib.contentdb.automation import updates as rules
    from chalicelib.contentdb.store import index

    packages = index.by_id(index.catalogue.snapshot())
    found = ((int(check.package_id), check) for check in rules.every())
    return [
        {"package": packages[number].key, **_shown(check)}
        for number, check in found
        if number in packages and not (failing and not check.error)
    ]


@updates.command("show")
@click.argument("key", metavar="AUTHOR/NAME")
def show(key: str) -> dict[str, Any]:
    """Show how a package is checked, and the result of the last check."""
    from chalicelib.contentdb.automation import updates as rules
    from chalicelib.contentdb.store import index
    from chalicelib.contentdb.store.parts import load_parts

    parts = load_parts(index.find_id(index.catalogue.snapshot(), "/".join(split(key))))
    return {"package": parts.package.key, **_shown(rules.get(parts))}


@updates.command("set")
@click.argument("key", metavar="AUTHOR/NAME")
@click.option(
    "--trigger", type=click.Choice(["tag", "commit"]), default="tag", help="What an update is; default: a tag."
)
@click.option("--ref", help="The branch, for commits; default: the repository's default branch.")
@click.option("--notify", is_flag=True, help="Notify the maintainers, and make no release.")
@click.option("--for", "username", help="The account whose releases it makes; default: the author.")
def set_(key: str, trigger: str, ref: str | None, notify: bool, username: str | None) -> dict[str, Any]:
    """Check a package daily, and once as soon as possible."""
    from chalicelib.contentdb.automation import updates as rules
    from chalicelib.core.identity import accounts

    author, name = split(key)
    wanted = rules.Wanted(trigger.upper(), ref, not notify)
    check = rules.configure(accounts.named(username or author), author, name, wanted)
    return {"package": f"{author}/{name}", **_shown(check)}


@updates.command("check")
@click.argument("key", metavar="AUTHOR/NAME")
def check(key: str) -> None:
    """Check a package as soon as possible."""
    from chalicelib.contentdb.automation import updates as rules

    rules.check_now(*split(key))


@updates.command("remove")
@click.argument("key", metavar="AUTHOR/NAME")
def remove(key: str) -> None:
    """Check a package no longer."""
    from chalicelib.contentdb.automation import updates as rules

    rules.remove(*split(key))


def _shown(check: Any) -> dict[str, Any]:
    from chalicelib.contentdb.automation import updates as rules
    from chalicelib.contentdb.automation.wire import render_updates

    return dict(render_updates(check, rules.due_at(int(check.package_id))))
