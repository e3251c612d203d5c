"""The core's items, all in one table. `pk`/`sk` of each stand in its docstring."""

from datetime import UTC, datetime
from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib import settings
from chalicelib.core.storage import Item, table_name


def now() -> datetime:
    """This moment, in UTC, to the second: what the APIs show."""
    return datetime.now(UTC).replace(microsecond=0)


class Listing(GlobalSecondaryIndex[Any]):  # type: ignore[no-untyped-call]
    """Items that belong to one list, by id: all accounts, the credentials of one account."""

    class Meta:
        index_name = "listing"
        projection = AllProjection()

    listing = UnicodeAttribute(hash_key=True)
    id = NumberAttribute(range_key=True)


class CoreItem(Item):
    """Any item of the core's table."""

    class Meta:
        table_name = table_name("core")
        region = settings.current().region

    kind = DiscriminatorAttribute()
    by_listing = Listing()
    listing = UnicodeAttribute(null=True)
    id = NumberAttribute(null=True)


class Account(CoreItem, discriminator="account"):
    """A person or a bot. `account#<id>` / `account`; listed under `accounts`."""

    username = UnicodeAttribute()
    email = UnicodeAttribute()
    password_hash = UnicodeAttribute(null=True)
    rank = UnicodeAttribute(default="MEMBER")
    suspended = BooleanAttribute(default=False)
    created_at = UTCDateTimeAttribute()
    two_factor = UnicodeAttribute(null=True)  # which enrolment is in force; None when two-factor is off
    second_factor_for_uploads = BooleanAttribute(default=False)
    era = UnicodeAttribute(null=True)  # sessions of another one have ended


class Claim(CoreItem, discriminator="claim"):
    """A unique name and who holds it. `<what>#<name>` / `claim`."""

    holder = UnicodeAttribute()


class Credential(CoreItem, discriminator="credential"):
    """A key, token or session; only its hash is known. `credential#<sha-256>` / `credential`.

    Listed under `credentials#<account id>`; the claim `credential#<id>` leads from its id to its hash.
    """

    account_id = NumberAttribute()
    service = UnicodeAttribute()
    scope = UnicodeAttribute(null=True)
    comment = UnicodeAttribute(default="")
    created_at = UTCDateTimeAttribute()
    ends_at = UTCDateTimeAttribute(null=True)
    revoked_at = UTCDateTimeAttribute(null=True)
    last_used_at = NumberAttribute(null=True)  # epoch seconds; at most once in ten minutes, where uses are not counted
    window = NumberAttribute(null=True)  # where uses are counted: epoch seconds, since when
    used = NumberAttribute(null=True)  # how often since then
    bound_to = UnicodeAttribute(null=True)  # what a second-factor token was issued for
    window_until = NumberAttribute(null=True)  # epoch seconds: so long no second factor is asked of this key
    window_for = UnicodeAttribute(null=True)  # the enrolment whose code opened that window
    era = UnicodeAttribute(null=True)  # of a session: the account's, when it began
    address = UnicodeAttribute(null=True)  # of a session: where from it began
    user_agent = UnicodeAttribute(null=True)  # of a session: what began it


class Invitation(CoreItem, discriminator="invitation"):
    """Lets one person open an account; only its secret's hash is known. `invitation#<sha-256>` / `invitation`.

    Listed under `invitations`; the claim `invitation#<id>` leads from its id to its hash.
    """

    rank = UnicodeAttribute()
    email = UnicodeAttribute(null=True)  # the only address that it is for
    comment = UnicodeAttribute(default="")
    created_at = UTCDateTimeAttribute()
    ends_at = UTCDateTimeAttribute()
    revoked_at = UTCDateTimeAttribute(null=True)
    used_at = UTCDateTimeAttribute(null=True)
    username = UnicodeAttribute(null=True)  # who came of it


class TwoFactor(CoreItem, discriminator="two-factor"):
    """What proves an account's second factor. `account#<id>` / `two-factor`."""

    enrolment = UnicodeAttribute()
    sealed_secret = UnicodeAttribute()
    recovery_hashes: ListAttribute[str] = ListAttribute()
    last_step = NumberAttribute(default=0)  # the newest TOTP time step that was used
    attempts: ListAttribute[Any] = ListAttribute(default=list)  # epoch seconds, since the last code that was good


class Enrolling(CoreItem, discriminator="enrolling"):
    """A second factor that is not in force before a code has confirmed it. `account#<id>` / `enrolling`."""

    sealed_secret = UnicodeAttribute()


class Familiar(CoreItem, discriminator="familiar"):
    """A network from which somebody has logged in lately. `familiar#<username in lower case>` / `<network>`."""


class Counter(CoreItem, discriminator="counter"):
    """The last number given out. `counter#<name>` / `counter`."""

    value = NumberAttribute()


class UploadSlot(CoreItem, discriminator="upload-slot"):
    """A place for one uploaded file. `upload-slot#<id>` / `upload-slot`; listed under `upload-slots` by its end."""

    account_id = NumberAttribute()
    purpose = UnicodeAttribute()  # the service that may use the file
    largest = NumberAttribute()  # bytes


class Window(CoreItem, discriminator="window"):
    """How often something was done in one stretch of time. `window#<subject>` / `<start>`."""

    used = NumberAttribute()


class AuditEntry(CoreItem, discriminator="audit"):
    """Who did what, with which credential. `audit#<account id>` / `<time>#<random>`."""

    at = UTCDateTimeAttribute()
    action = UnicodeAttribute()
    subject = UnicodeAttribute()
    by_account_id = NumberAttribute(null=True)
    credential_id = NumberAttribute(null=True)
    detail = JSONAttribute(null=True)


class Head(CoreItem, discriminator="catalogue-head"):
    """Where a catalogue stands. `catalogue#<name>` / `head`."""

    sequence = NumberAttribute(default=0)
    snapshot = UnicodeAttribute(null=True)  # the blob with all entries at `snapshot_sequence`
    snapshot_sequence = NumberAttribute(default=0)
    snapshot_modified_at = NumberAttribute(default=0)
    shape = NumberAttribute(null=True)  # of the entries in `snapshot`, or of the first change where there is none


class Change(CoreItem, discriminator="catalogue-change"):
    """One step of a catalogue's log. `catalogue-log#<name>` / `<sequence, 12 digits>`.

    Either one entry (`entry`, or `blob` when it is large; neither: the entry is gone), or a whole new `snapshot`.
    """

    sequence = NumberAttribute()
    modified_at = NumberAttribute()  # epoch seconds, see catalogue.Snapshot
    key = UnicodeAttribute(null=True)
    shape = NumberAttribute(null=True)  # of the code that wrote it; None before there were shapes
    entry = BinaryAttribute(null=True, legacy_encoding=False)
    blob = UnicodeAttribute(null=True)
    snapshot = UnicodeAttribute(null=True)


class Fold(CoreItem, discriminator="catalogue-fold"):
    """When a snapshot was made. `catalogue-folds#<name>` / `<sequence, 12 digits>-<random>`."""

    sequence = NumberAttribute()
    snapshot = UnicodeAttribute()
    at = NumberAttribute()  # epoch seconds


class Repeat(CoreItem, discriminator="repeat"):
    """When a repeating job is due again. `jobs-repeating` / `<name>`."""

    next_at = NumberAttribute()  # epoch seconds


class Job(CoreItem, discriminator="job"):
    """Work that was promised. `jobs` / `<time>#<random>`, or `jobs-dead` when it was given up."""

    name = UnicodeAttribute()
    payload = JSONAttribute(null=True)
    due_at = NumberAttribute()
    attempts = NumberAttribute(default=0)
    error = UnicodeAttribute(null=True)
