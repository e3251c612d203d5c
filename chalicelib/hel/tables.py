"""Hel's items, all in one table. The docstring of each class has its `pk`/`sk`."""

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)

from chalicelib import settings
from chalicelib.core.storage import Item, table_name


class HelItem(Item):
    """Any item of Hel's table."""

    class Meta:
        table_name = table_name("hel")
        region = settings.current().region

    kind = DiscriminatorAttribute()


class Package(HelItem, discriminator="package"):
    """A package with all its versions. `package#<name>` / `package`.

    The document is JSON, see model.parse, without the owners; `document` contains it, or `blob` names a large one.
    """

    id = NumberAttribute()  # increases with every package: the order of lists, and the key in the catalogue
    name = UnicodeAttribute()
    owners: ListAttribute[str] = ListAttribute()  # usernames as written, also of users without an account
    creator_id = NumberAttribute()  # the account whose quota it uses
    document = UnicodeAttribute(null=True)
    blob = UnicodeAttribute(null=True)
    size = NumberAttribute()  # bytes of the document
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()
    archived = BooleanAttribute(default=False)
    archive_reason = UnicodeAttribute(null=True)
    immutable = BooleanAttribute(default=False)


class StoredFile(HelItem, discriminator="file"):
    """A stored file. `files#<username in lower case>` / `<sha-256>`."""

    account_id = NumberAttribute()
    owner = UnicodeAttribute()  # the account's username
    name = UnicodeAttribute()
    size = NumberAttribute()
    blob = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()


class Count(HelItem, discriminator="count"):
    """A counter of views or downloads. `counts#<a hex digit>` / `package#<id>` or `file#<username>/<sha-256>`.

    It is separate from the counted item: small, so that counting is cheap, and 16 queries read all counters.
    """

    total = NumberAttribute()
    blob = UnicodeAttribute(null=True)  # the blob of a file: one call counts a download and finds it


class Usage(HelItem, discriminator="usage"):
    """The used quota of an account. `usage#<account id>` / `usage`."""

    packages = NumberAttribute(default=0)
    package_bytes = NumberAttribute(default=0)
    file_bytes = NumberAttribute(default=0)


class User(HelItem, discriminator="user"):
    """A user in the list. `users` / `<account id, 12 digits>`."""

    nickname = UnicodeAttribute()
    groups: ListAttribute[str] = ListAttribute()


def package_pk(name: str) -> str:
    """The partition key of a package."""
    return f"package#{name}"
