"""Usernames as luarocks.org writes them in paths: `foo_bar` is `foo-bar` there."""

import re
from collections import defaultdict

from chalicelib.core.catalogues.shards import Shard
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.identity import accounts
from chalicelib.luarocks import index
from chalicelib.luarocks.entry import ModuleEntry


def username(snapshot: Snapshot[ModuleEntry], asked: str) -> str:
    """The user whom a path names, in lower case: the account of that name or, if there is none, the one with its slug.

    A slug of several users names none of them. A name of no user is returned unchanged.
    """
    name = asked.lower()
    if index.modules(snapshot, index.user_group(name)):
        return name
    found = snapshot.cached("slugs", _users).get(_slug(name), ())
    return found[0] if len(found) == 1 and accounts.find(name) is None else name


def _users(snapshot: Snapshot[ModuleEntry]) -> dict[str, list[str]]:
    """All users with modules, by their slugs."""
    found: dict[str, list[str]] = defaultdict(list)
    for user in frozenset[str]().union(*snapshot.per_shard("users", _users_of_shard)):
        found[_slug(user)].append(user)
    return dict(found)


def _users_of_shard(shard: Shard[ModuleEntry]) -> frozenset[str]:
    return frozenset(key.partition("/")[0] for key in shard.records)


def _slug(name: str) -> str:
    return re.sub(r"[_-]+", "-", name)
