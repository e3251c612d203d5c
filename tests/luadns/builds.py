"""Builds of zones from files, without a repository."""

from chalicelib.core.tables import Account
from chalicelib.luadns.git import plan, publishing, sources
from chalicelib.luadns.git.plan import ZonePlan
from chalicelib.luadns.store import Owner


def planned(account: Account, files: dict[str, str], *, prune: bool = False, adopt: bool = False) -> list[ZonePlan]:
    """The plan of a build of these files, by path."""
    found = sources.of_files({path: text.encode() for path, text in files.items()})
    return plan.make(Owner(int(account.id)), found, plan.Choices(prune, adopt))


def build(account: Account, files: dict[str, str], *, prune: bool = False, adopt: bool = False) -> dict[str, str]:
    """Build zones from files; return the action for each zone."""
    plans = planned(account, files, prune=prune, adopt=adopt)
    publishing.publish(Owner(int(account.id)), plans)
    return {each.name: each.action for each in plans}
