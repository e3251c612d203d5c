"""The items of the transparency log, in the core's table. The docstring of each has its `pk` / `sk`."""

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.core.tables import CoreItem


class LogEntry(CoreItem, discriminator="log-entry"):
    """An entry. `log-entries` / `<index, 12 digits>`; listed under `log#<service>#<name>` by its index."""

    body = BinaryAttribute(legacy_encoding=False)  # the bytes that the tree hashes, see entries.py
    files = BinaryAttribute(null=True, legacy_encoding=False)  # the list of files, if the body has only its hash


class LogOpening(CoreItem, discriminator="log-opening"):
    """What the commitments of an entry hide. `log-openings` / `<index, 12 digits>`.

    Listed under `log-openings#<username>` (lower case) of the actor by its index. Its deletion erases the actor.
    """

    salt = BinaryAttribute(legacy_encoding=False)
    actor = UnicodeAttribute()  # JSON, see entries.py
    work = UnicodeAttribute(null=True)  # JSON of an entry whose work no list shows


class LogTile(CoreItem, discriminator="log-tile"):
    """A tile of the tree. `log-tiles#<level>` / `<position, 12 digits>`."""

    hashes = BinaryAttribute(legacy_encoding=False)


class LogHead(CoreItem, discriminator="log-head"):
    """The newest checkpoint. `log-head` / `head`."""

    size = NumberAttribute()
    checkpoint = UnicodeAttribute()  # a signed note


class LogKey(CoreItem, discriminator="log-key"):
    """A key that signs checkpoints. `log-keys` / `<time of its creation>`."""

    name = UnicodeAttribute()  # the origin of the log, which is also the name of the key
    public = BinaryAttribute(legacy_encoding=False)
    sealed_secret = UnicodeAttribute()  # the private key, 32 bytes in hexadecimal digits
    created_at = UTCDateTimeAttribute()
    retired_at = UTCDateTimeAttribute(null=True)  # since then it no longer signs
