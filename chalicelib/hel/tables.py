"""Hel's items, all in one table. `pk`/`sk` of each stand in its docstring."""

from pynamodb.attributes import (
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

    The document is JSON, see model.parse, less the owners; `document` holds it, or `blob` names it when it is large.
    """

    id = NumberAttribute()  # grows with every package: the order of lists; also its key in the catalogue
    name = UnicodeAttribute()
    owners: ListAttribute[str] = ListAttribute()  # usernames as written; nobody need have them
    creator_id = NumberAttribute()  # the account whose room it takes
    document = UnicodeAttribute(null=True)
    blob = UnicodeAttribute(null=True)
    size = NumberAttribute()  # bytes of the document
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class StoredFile(HelItem, discriminator="file"):
    """A stored file. `files#<username in lower case>` / `<sha-256>`."""

    account_id = NumberAttribute()
    owner = UnicodeAttribute()  # the account's username
    name = UnicodeAttribute()
    size = NumberAttribute()
    blob = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()


class Count(HelItem, discriminator="count"):
    """How often something was asked for. `counts#<a hex digit>` / `package#<id>` or `file#<username>/<sha-256>`.

    Apart from what is counted: small, so that counting costs little, and all counts are found in 16 queries.
    """

    total = NumberAttribute()
    blob = UnicodeAttribute(null=True)  # the bytes of a file: a download is counted and found in one call


class Usage(HelItem, discriminator="usage"):
    """The room that an account takes. `usage#<account id>` / `usage`."""

    packages = NumberAttribute(default=0)
    package_bytes = NumberAttribute(default=0)
    file_bytes = NumberAttribute(default=0)


class User(HelItem, discriminator="user"):
    """A user as the list shows one. `users` / `<account id, 12 digits>`."""

    nickname = UnicodeAttribute()
    groups: ListAttribute[str] = ListAttribute()


def package_pk(name: str) -> str:
    """The partition of a package."""
    return f"package#{name}"
