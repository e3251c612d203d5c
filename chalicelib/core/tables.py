"""The core's items, all in one table. The docstring of each has its `pk` / `sk`."""

from datetime import UTC, datetime
from typing import Any

from pynamodb.attributes import (
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
    """The current time in UTC, in whole seconds as the APIs show it."""
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
    two_factor = UnicodeAttribute(null=True)  # the active enrolment; None when two-factor authentication is off
    second_factor_for_uploads = BooleanAttribute(default=False)
    era = UnicodeAttribute(null=True)  # sessions of any other era have ended
    confirmed_email = UnicodeAttribute(null=True)  # the address of the last confirmation; mail needs it to be `email`
    channels = JSONAttribute(null=True)  # kind of notifications -> channel, where it is not the default
    deleted_at = UTCDateTimeAttribute(
        null=True
    )  # the item stays, so that its name stays taken and old entries readable
    daily_digest = BooleanAttribute(default=False)  # whether mails about notifications are sent once a day


class Claim(CoreItem, discriminator="claim"):
    """A unique name and its holder. `<kind>#<name>` / `claim`."""

    holder = UnicodeAttribute()


class Credential(CoreItem, discriminator="credential"):
    """A key, token or session; only the hash of its secret is stored. `credential#<sha-256>` / `credential`.

    Listed under `credentials#<account id>`; the claim `credential#<id>` maps its id to its hash.
    """

    account_id = NumberAttribute()
    service = UnicodeAttribute()
    scope = UnicodeAttribute(null=True)
    comment = UnicodeAttribute(default="")
    created_at = UTCDateTimeAttribute()
    ends_at = UTCDateTimeAttribute(null=True)
    revoked_at = UTCDateTimeAttribute(null=True)
    last_used_at = NumberAttribute(null=True)  # epoch seconds; without a rate limit at most once in ten minutes
    window = NumberAttribute(null=True)  # with a rate limit: the start of the window, in epoch seconds
    used = NumberAttribute(null=True)  # with a rate limit: the number of uses in that window
    bound_to = UnicodeAttribute(null=True)  # for a second-factor token: its credential and enrolment
    window_until = NumberAttribute(null=True)  # until then the key needs no second factor; epoch seconds
    window_for = UnicodeAttribute(null=True)  # the enrolment for which `window_until` is valid
    era = UnicodeAttribute(null=True)  # for a session: the account's era at its start
    address = UnicodeAttribute(null=True)  # for a session: the client's address at its start
    user_agent = UnicodeAttribute(null=True)  # for a session: the client's User-Agent at its start
    proved_at = NumberAttribute(null=True)  # for a session: the last proof of the second factor, in epoch seconds


class Invitation(CoreItem, discriminator="invitation"):
    """Permission to create one account; only its secret's hash is stored. `invitation#<sha-256>` / `invitation`.

    Listed under `invitations`; the claim `invitation#<id>` maps its id to its hash.
    """

    rank = UnicodeAttribute()
    email = UnicodeAttribute(null=True)  # the only e-mail address for which it is valid
    mailed = BooleanAttribute(default=False)  # its secret was only sent to this address, and not shown
    comment = UnicodeAttribute(default="")
    created_at = UTCDateTimeAttribute()
    ends_at = UTCDateTimeAttribute()
    revoked_at = UTCDateTimeAttribute(null=True)
    used_at = UTCDateTimeAttribute(null=True)
    username = UnicodeAttribute(null=True)  # of the account that used it


class TwoFactor(CoreItem, discriminator="two-factor"):
    """An account's active second factor. `account#<id>` / `two-factor`."""

    enrolment = UnicodeAttribute()
    sealed_secret = UnicodeAttribute()
    recovery_hashes: ListAttribute[str] = ListAttribute()
    last_step = NumberAttribute(default=0)  # the newest used TOTP time step
    attempts: ListAttribute[Any] = ListAttribute(default=list)  # attempts since the last valid code, in epoch seconds


class Enrolling(CoreItem, discriminator="enrolling"):
    """A second factor that is inactive until a code confirms it. `account#<id>` / `enrolling`."""

    sealed_secret = UnicodeAttribute()


class Familiar(CoreItem, discriminator="familiar"):
    """A network of a recent login to the account. `familiar#<username in lower case>` / `<network>`.

    A device of an earlier login: `devices#<account id>` / `<hash>`.
    """


class Notification(CoreItem, discriminator="notification"):
    """A notification in an account's inbox. `inbox#<account id>` / `<time>-<random>`.

    While it is unread it is listed under `unread#<account id>` by its time in microseconds, which is its `id`.
    """

    about = UnicodeAttribute()  # the declared kind
    subject = UnicodeAttribute()
    text = UnicodeAttribute(null=True)
    link = UnicodeAttribute(null=True)  # a path of this server
    by_mail = BooleanAttribute(default=False)
    address = UnicodeAttribute(null=True)  # of the mail, if it is not the account's
    mailed_at = UTCDateTimeAttribute(null=True)


class Mailbox(CoreItem, discriminator="mailbox"):
    """The state of an account's notifications. `account#<id>` / `mailbox`."""

    read_until = NumberAttribute(null=True)  # notifications up to this time, in epoch microseconds, have been read
    unsubscribe_secret = UnicodeAttribute(null=True)  # signs the links that stop mails
    digest = UnicodeAttribute(null=True)  # the last day of which a digest was sent


class Counter(CoreItem, discriminator="counter"):
    """The last number of a sequence. `counter#<name>` / `counter`."""

    value = NumberAttribute()


class UploadSlot(CoreItem, discriminator="upload-slot"):
    """A slot for one uploaded file. `upload-slot#<id>` / `upload-slot`; listed under `upload-slots` by its expiry."""

    account_id = NumberAttribute()
    purpose = UnicodeAttribute()  # the service that may use the file
    largest = NumberAttribute()  # bytes


class ReservedName(CoreItem, discriminator="reserved-name"):
    """A name reserved for its former owners until it expires. `reserved-name#<service>#<name>` / `reserved-name`."""

    owners: ListAttribute[str] = ListAttribute()  # usernames in lower case


class Window(CoreItem, discriminator="window"):
    """The number of uses in one window of a rate limit. `window#<subject>` / `<start>`."""

    used = NumberAttribute()


class AuditEntry(CoreItem, discriminator="audit"):
    """An action on an account, its actor and their credential. `audit#<account id>` / `<time>#<random>`.

    An action can be in the logs of several accounts; one of these entries is listed under `audit`, by its time.
    """

    at = UTCDateTimeAttribute()
    action = UnicodeAttribute()
    subject = UnicodeAttribute()
    by_account_id = NumberAttribute(null=True)
    credential_id = NumberAttribute(null=True)
    actor = UnicodeAttribute(null=True)  # the username; entries of older code have only the ids
    credential_service = UnicodeAttribute(null=True)
    credential_comment = UnicodeAttribute(null=True)
    address = UnicodeAttribute(null=True)
    detail = JSONAttribute(null=True)


class PublishedEvent(CoreItem, discriminator="event"):
    """A change of a public work. `events-new` / `<time>#<random>`; then numbered, `events` / `<number, 12 digits>`."""

    body = UnicodeAttribute()  # JSON, see published.Event


class EventPosition(CoreItem, discriminator="event-position"):
    """The number of the last event that a follower has handled. `event-positions` / `<follower>`."""

    last = NumberAttribute()


class NoticesMark(CoreItem, discriminator="notices-mark"):
    """Present once some owners of a work were notified of an event. `event-notices` / `<number>#<first owner>`."""


class SshKey(CoreItem, discriminator="ssh-key"):
    """An SSH key for private Git repositories. `ssh-key#<owner>` / `key`."""

    public = UnicodeAttribute()  # as in authorized_keys, without a comment
    sealed_secret = UnicodeAttribute()  # the private key, in OpenSSH's format
    created_at = UTCDateTimeAttribute()


class SshHost(CoreItem, discriminator="ssh-host"):
    """The pinned host key of an SSH server. `ssh-key#<owner>` / `host#<host>:<port>`."""

    public = UnicodeAttribute()  # type and Base64
    first_seen_at = UTCDateTimeAttribute()

    @property
    def server(self) -> str:
        """`HOST:PORT`."""
        return str(self.sk).removeprefix("host#")


class Repeat(CoreItem, discriminator="repeat"):
    """The next run of a repeating job. `jobs-repeating` / `<name>`."""

    next_at = NumberAttribute()  # epoch seconds


class ReadOnlyMode(CoreItem, discriminator="read-only"):
    """Present in read-only mode. `read-only` / `mode`."""

    text = UnicodeAttribute()
    since = UTCDateTimeAttribute()


class Job(CoreItem, discriminator="job"):
    """An enqueued job. `jobs` / `<time>#<random>` or `<name>#<key>`; `jobs-dead` / the same, once dead-lettered."""

    name = UnicodeAttribute()
    payload = JSONAttribute(null=True)
    due_at = NumberAttribute()  # epoch seconds; of a running job the end of its lease
    attempts = NumberAttribute(default=0)
    leased = BooleanAttribute(default=False)  # it is running, or its process died
    progress = UnicodeAttribute(null=True)  # a short text, such as `1200 of 49000 packages`
    error = UnicodeAttribute(null=True)
