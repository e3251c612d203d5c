"""The declaration of a slice: tables, catalogues, counters, jobs, keys, ranks, settings. `registry` reads declarations.

A declaration does nothing by itself. Each service has one in its `slice.py`, and the core has one in `core/slice.py`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.catalogues.catalogue import Catalogue
from chalicelib.core.catalogues.counters import CounterSet
from chalicelib.core.published import Event, Follower
from chalicelib.core.storage import Item
from chalicelib.core.tables import Account
from chalicelib.core.wakeups import Lane

BlobsOf = Callable[[Any], Iterable[str | None]]


@dataclass(frozen=True)
class Inconsistency:
    """An inconsistency in the stored data: kind, subject, message, and a function that repairs it, if there is one."""

    kind: str
    subject: str
    message: str
    fix: Callable[[], object] | None = field(default=None, compare=False)


def _no_blobs(item: Any) -> Iterable[str | None]:
    return ()


@dataclass(frozen=True)
class Table:
    """A table, by the model of all its items.

    `blobs_of(item)` returns the keys of the blobs to which an item refers; it skips None. Every blob below `areas`
    belongs to this table: fsck deletes a blob there if no item refers to it and it is older than a day. `sealed` names
    the attributes that are sealed for the item's `pk` (see sealing.seal). With `nested_archives`, clients unpack the
    archives within its blobs.
    """

    model: type[Item]
    areas: tuple[str, ...] = ()
    blobs_of: BlobsOf = _no_blobs
    sealed: frozenset[str] = frozenset()
    nested_archives: bool = False


@dataclass(frozen=True)
class JobHandler:
    """The function that runs the jobs of this name; it gets the job's payload and must be idempotent.

    A job that can take more than a few seconds belongs to the lane `slow`. One that can take more than a minute checks
    `jobs.time_left()`, and raises `jobs.Reschedule` with a payload that says where to continue.
    """

    name: str
    run: Callable[[Any], None]
    lane: Lane = "short"

    def call(self, payload: Any) -> None:
        """Run one job."""
        self.run(payload)


@dataclass(frozen=True)
class RepeatingJob:
    """A job that runs once in every period of `every` seconds, aligned to the clock (86400: at midnight UTC).

    If `run` raises `jobs.Reschedule`, `resume` gets the payload.
    """

    name: str
    run: Callable[[], None]
    every: int
    lane: Lane = "short"
    resume: Callable[[Any], None] | None = None

    def call(self, payload: Any) -> None:
        """Run it once, from the beginning if there is no payload."""
        if payload is None or self.resume is None:
            self.run()
        else:
            self.resume(payload)


@dataclass(frozen=True)
class Scopes:
    """The scopes that a key of a service can have: reading (`read`), or one object (`module:NAME`).

    `kind` is `module`; `form` stands for the name in messages, and `pattern` is the regular expression for it.
    """

    kind: str
    form: str
    pattern: str

    @property
    def words(self) -> str:
        """The scopes as a phrase for messages."""
        return f"read or {self.kind}:{self.form}"

    def allow(self, scope: str) -> bool:
        """Whether this is one of the scopes."""
        return scope.isprintable() and re.fullmatch(f"read|{self.kind}:{self.pattern}", scope) is not None


@dataclass(frozen=True)
class Belongings:
    """What accounts have in a slice, for the deletion of an account.

    `names(account)` lists what must be transferred or removed, `remove(account, name)` removes one of them, and
    `transfer(account, heir, name)` gives it to another account; without it such things can only be removed. Each may be
    repeated. `leave(account, removes)` then gives up the rest: memberships, texts about others' works; `removes` says
    whether works were removed.
    """

    title: str
    names: Callable[[Account], list[str]]
    remove: Callable[[Account, str], object]
    transfer: Callable[[Account, Account, str], object] | None = None
    leave: Callable[[Account, bool], object] = lambda account, removes: None


@dataclass(frozen=True)
class ServedFile:
    """A file that a service serves: the work and the name by which a published event named it, and its blob's key."""

    work: str
    name: str
    sha256: str
    blob: str


@dataclass(frozen=True)
class Switch:
    """A boolean attribute of accounts, off by default, and the audit log's actions for turning it on and off."""

    attribute: str
    turned_on: str
    turned_off: str


@dataclass(frozen=True)
class NotificationKind:
    """A kind of notifications, such as `key.created`.

    `title` describes it in the settings of an account, and `default` is its channel there (notifications.preferences).
    An `essential` kind concerns the security of the account: its channel cannot be changed.
    """

    name: str
    title: str
    default: str = "inbox"
    essential: bool = False


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One slice. Everything but the name is optional.

    `title` is its name in pages and messages. `transient_areas` are areas of blobs to which no item refers and which
    are deleted after a day. A service with `scopes` has keys of its own. `ranks` lists all ranks, lowest first; at most
    one slice declares them. `settings` names the fields of Settings that belong to the slice. A server offers an
    `essential` slice always, and others if the setting `services` names them. A service that supports `immutable` works
    can be named in the setting of that name. `followers` get every published event. `served_files` yields every file
    whose publication the events name, read from the tables.
    `notifications` are the kinds that it sends. `page_of` returns the path of the page about the work of an event.
    `phrases` has a sentence for each action of the audit log, such as `{actor} published {package}`: `actor`, `account`
    (whose log it is), `key` (the subject), names of details, and any other name for the subject.
    """

    name: str
    title: str = ""
    tables: tuple[Table, ...] = ()
    catalogues: tuple[Catalogue[Any], ...] = ()
    counters: tuple[CounterSet[Any], ...] = ()
    jobs: tuple[JobHandler, ...] = ()
    repeating_jobs: tuple[RepeatingJob, ...] = ()
    transient_areas: tuple[str, ...] = ()
    checks: tuple[Callable[[], Iterable[Inconsistency]], ...] = ()
    scopes: Scopes | None = None
    switches: tuple[Switch, ...] = ()
    ranks: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    essential: bool = False
    immutable: bool = False
    followers: tuple[Follower, ...] = ()
    served_files: Callable[[], Iterator[ServedFile]] | None = None
    belongings: tuple[Belongings, ...] = ()
    notifications: tuple[NotificationKind, ...] = ()
    phrases: Mapping[str, str] = field(default_factory=dict)
    page_of: Callable[[Event], str | None] | None = None

    @property
    def every_job(self) -> Iterator[JobHandler | RepeatingJob]:
        """All jobs of the slice, including the repeating ones."""
        yield from self.jobs
        yield from self.repeating_jobs

    @property
    def areas(self) -> Iterator[str]:
        """All areas of the slice's blobs."""
        for table in self.tables:
            yield from table.areas
        yield from self.transient_areas

    def names(self) -> Iterator[str]:
        """Every name that no other slice may declare, each with its kind: `job luarocks-sweep`."""
        yield f"slice {self.name}"
        yield from (f"table {table.model.Meta.table_name}" for table in self.tables)
        yield from (f"catalogue {catalogue.name}" for catalogue in self.catalogues)
        yield from (f"counters {counters.name}" for counters in self.counters)
        yield from (f"job {job.name}" for job in self.every_job)
        yield from (f"blob area {area}" for area in self.areas)
        yield from (f"switch {switch.attribute}" for switch in self.switches)
        yield from (f"setting {name}" for name in self.settings)
        yield from (f"follower {follower.name}" for follower in self.followers)
        yield from (f"kind of notifications {kind.name}" for kind in self.notifications)
        if self.ranks:
            yield "ladder of ranks"
