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

    id = NumberAttribute()  # grows with every package: the order of lists
    name = UnicodeAttribute()
    owners: ListAttribute[str] = ListAttribute()  # usernames as written; nobody need have them
    document = UnicodeAttribute(null=True)
    blob = UnicodeAttribute(null=True)
    views = NumberAttribute(default=0)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


def package_pk(name: str) -> str:
    """The partition of a package."""
    return f"package#{name}"
