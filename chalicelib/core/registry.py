"""The slices of this server in one place. `app.py` lists them and installs the list; everything else reads it here.

Two declarations of one name are refused when the list is installed, with both slices named.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from pynamodb.attributes import BooleanAttribute

from chalicelib import settings
from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.declaration import (
    Declaration,
    Inconsistency,
    JobHandler,
    NotificationKind,
    RepeatingJob,
    Scopes,
    Switch,
    Table,
)
from chalicelib.core.errors import Conflict
from chalicelib.core.published import Follower
from chalicelib.core.storage import Item
from chalicelib.core.tables import Account
from chalicelib.core.wakeups import Lane
from chalicelib.settings import Settings

CORE_RANKS = ("BANNED", "MEMBER", "MODERATOR", "ADMIN")  # the core's own ladder; a slice may put ranks between


class DeclarationError(ValueError):
    """The declarations of the slices do not fit together."""


class NotOffered(Conflict):
    """This server does not offer the service."""


class Registry:
    """The declarations of all slices, by name. Raises DeclarationError where they do not fit together."""

    def __init__(self, declarations: Iterable[Declaration]) -> None:
        self.declarations = tuple(declarations)
        _check_names(self.declarations)
        _check_areas(self.declarations)
        _check_settings(self.declarations)
        _check_services(self.declarations)
        every = self.declarations
        self.tables: dict[type[Item], Table] = {table.model: table for each in every for table in each.tables}
        self.catalogues: dict[str, Catalogue[Any]] = {one.name: one for each in every for one in each.catalogues}
        self.counters: dict[str, CounterSet[Any]] = {one.name: one for each in every for one in each.counters}
        self.jobs: dict[str, JobHandler | RepeatingJob] = {job.name: job for each in every for job in each.every_job}
        self._optional = {each.name for each in every if not each.essential}
        self._owners = {job.name: each.name for each in every for job in each.every_job}
        self.titles: dict[str, str] = {each.name: each.title for each in every}
        self.switches: dict[str, Switch] = {switch.attribute: switch for each in every for switch in each.switches}
        self.followers: dict[str, Follower] = {one.name: one for each in every for one in each.followers}
        self.notification_kinds: dict[str, NotificationKind] = {
            kind.name: kind for each in every for kind in each.notifications
        }
        self.keyed = frozenset(each.name for each in every if each.scopes)  # services with keys, offered or not
        self.phrases = _phrases(every)
        self.pages = {each.name: each.page_of for each in every if each.page_of}
        self.ranks = next((each.ranks for each in every if each.ranks), CORE_RANKS)
        _check_ranks(self.ranks)

    @property
    def repeating_jobs(self) -> dict[str, RepeatingJob]:
        """The jobs that repeat, by name."""
        return {name: job for name, job in self.jobs.items() if isinstance(job, RepeatingJob)}

    @property
    def scopes(self) -> dict[str, Scopes]:
        """The scopes of the keys of each offered service, by its name."""
        return {each.name: each.scopes for each in self.declarations if each.scopes and self.offers(each.name)}

    def offers(self, name: str) -> bool:
        """Whether this server offers a service. The data of the others stays, and `fsck` and the export cover it."""
        return name not in self._optional or not (chosen := settings.current().services) or name in chosen

    def require_offered(self, name: str) -> None:
        """Raise NotOffered for a service that the settings turn off."""
        if not self.offers(name):
            title = next(each.title for each in self.declarations if each.name == name)
            raise NotOffered(f"{title} is turned off on this server, see the setting MOONBASE_SERVICES.")

    def rests(self, job: str) -> bool:
        """Whether the jobs of a name wait until their service is offered again."""
        return job in self._owners and not self.offers(self._owners[job])

    def lane(self, job: str) -> Lane:
        """The lane of the jobs of a name; `short` for a name that no slice declares."""
        return self.jobs[job].lane if job in self.jobs else "short"

    @property
    def models(self) -> list[type[Item]]:
        """The model of every table."""
        return list(self.tables)

    @property
    def area_prefixes(self) -> tuple[str, ...]:
        """Every area of blobs, as the beginning of its blobs' keys."""
        return tuple(f"{area}/" for each in self.declarations for area in each.areas)

    def inconsistencies(self) -> Iterator[Inconsistency]:
        """Run the checks of all slices, and yield the results."""
        for each in self.declarations:
            for check in each.checks:
                yield from check()


_current: Registry | None = None


def current() -> Registry:
    """The installed list. Raises RuntimeError before one is installed."""
    if _current is None:
        raise RuntimeError("no slices are installed: import app first")
    return _current


def install(declarations: Iterable[Declaration]) -> Registry:
    """Install a list of slices for this process. Raises DeclarationError."""
    global _current
    _current = Registry(declarations)
    for attribute in _current.switches:
        Account.extend(attribute, BooleanAttribute(default=False))
    return _current


@contextmanager
def including(*more: Declaration) -> Iterator[Registry]:
    """Install more slices for the block. Raises DeclarationError."""
    global _current
    before = current()
    try:
        yield install((*before.declarations, *more))
    finally:
        _current = before


def _check_names(declarations: Iterable[Declaration]) -> None:
    owners: dict[str, str] = {}
    for each in declarations:
        for name in each.names():
            if name in owners:
                raise DeclarationError(f"The {name} is declared by {owners[name]} and by {each.name}.")
            owners[name] = each.name


def _check_areas(declarations: Iterable[Declaration]) -> None:
    """Check that no area lies in another one: fsck would report the blobs of one as orphaned blobs of the other."""
    owners = {f"{area}/": each.name for each in declarations for area in each.areas}
    for area, owner in owners.items():
        for outer in owners:
            if area != outer and area.startswith(outer):
                raise DeclarationError(f"The blob area {area} of {owner} lies in {outer} of {owners[outer]}.")


def _check_settings(declarations: Iterable[Declaration]) -> None:
    known = {field.name for field in fields(Settings)}
    for each in declarations:
        for name in each.settings:
            if name not in known:
                raise DeclarationError(f"There is no setting {name}, which {each.name} declares.")


def _check_services(declarations: Iterable[Declaration]) -> None:
    known = [each.name for each in declarations if not each.essential]
    if unknown := [name for name in settings.current().services if name not in known]:
        raise DeclarationError(f"MOONBASE_SERVICES: there is no service {unknown[0]}; there are: {', '.join(known)}.")
    supporting = [each.name for each in declarations if each.immutable]
    if unsupported := [name for name in settings.current().immutable if name not in supporting]:
        services = ", ".join(supporting)
        raise DeclarationError(
            f"MOONBASE_IMMUTABLE: {unsupported[0]} is none of the services that support it: {services}."
        )


def _phrases(declarations: Iterable[Declaration]) -> dict[str, str]:
    """The sentence of each action, also of creating and revoking the keys of each service."""
    found: dict[str, str] = {}
    for each in declarations:
        of_keys = {
            f"{each.name}.create": f"{{actor}} created {{key}} of {{account}} for {each.title}",
            f"{each.name}.revoke": f"{{actor}} revoked {{key}} of {{account}} for {each.title}",
        }
        for action, phrase in {**each.phrases, **(of_keys if each.scopes else {})}.items():
            if found.setdefault(action, phrase) != phrase:
                raise DeclarationError(f"The action {action} has two phrases, one by {each.name}.")
    return found


def _check_ranks(ranks: tuple[str, ...]) -> None:
    if tuple(rank for rank in ranks if rank in CORE_RANKS) != CORE_RANKS:
        raise DeclarationError(f"A ladder of ranks has these once, in this order: {', '.join(CORE_RANKS)}.")
    if len(set(ranks)) != len(ranks):
        raise DeclarationError("A ladder of ranks names each rank once.")
