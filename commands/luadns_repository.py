"""`moonbase luadns repository`: the Git repository with the zones of an account, and its builds."""

from typing import Any

import click


@click.command()
@click.argument("account")
@click.option("--uri", metavar="URI", help="Set the repository: https://HOST/PATH or ssh://git@HOST/PATH.")
@click.option("--branch", metavar="BRANCH", help="Its branch; default: the repository's default branch.")
@click.option("--remove", is_flag=True, help="Remove the repository; zones remain.")
def repository(account: str, uri: str | None, branch: str | None, remove: bool) -> dict[str, Any]:
    """Show or set the Git repository with the zones of ACCOUNT."""
    from chalicelib.core.identity import accounts
    from chalicelib.luadns.git import repositories
    from chalicelib.luadns.store import Owner

    if bool(uri) == remove and (remove or branch):
        raise click.UsageError("--branch needs --uri, and --remove excludes it.")
    owner = Owner(int(accounts.named(account).id))
    if remove:
        repositories.delete(owner)
    elif uri:
        repositories.save(owner, uri, branch)
    found = repositories.find(owner)
    return {
        "repo_uri": found.uri if found else None,
        "branch": found.branch if found else None,
        "deploy_key": repositories.deploy_key(owner) or None,
        "commit": found.commit if found else None,
    }


@click.command()
@click.argument("account")
def builds(account: str) -> list[dict[str, Any]]:
    """List the builds of the repository of ACCOUNT, newest first."""
    from chalicelib.core.identity import accounts
    from chalicelib.luadns.git import repositories
    from chalicelib.luadns.language.evaluation import Fault
    from chalicelib.luadns.store import Owner

    owner = Owner(int(accounts.named(account).id))
    return [
        {
            "build": int(build.id),
            "state": build.state,
            "commit": build.commit and build.commit[:10],
            "author": build.author,
            "at": build.created_at.isoformat(timespec="seconds"),
            "changed": sum(zone["action"] not in ("unchanged", "file removed") for zone in build.zones or ()),
            "error": str(Fault(*build.errors[0])) if build.errors else None,
        }
        for build in repositories.builds(owner)
    ]
