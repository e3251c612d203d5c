"""LuaRocks' items, all in one table. `pk`/`sk` of each stand in its docstring."""

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


class LuaRocksItem(Item):
    """Any item of LuaRocks' table; a module, its versions and its rocks share a partition."""

    class Meta:
        table_name = table_name("luarocks")
        region = settings.current().region

    kind = DiscriminatorAttribute()


class Stored(LuaRocksItem):
    """What every published file has: `revision` counts its uploads, `updated_at` is its Last-Modified."""

    revision = NumberAttribute(default=1)
    sha256 = UnicodeAttribute()
    size = NumberAttribute()
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Module(LuaRocksItem, discriminator="module"):
    """A name under one account. `module#<account id>#<lower-case name>` / `module`."""

    id = NumberAttribute()
    user_id = NumberAttribute()
    user = UnicodeAttribute()  # the account's lower-case username: where its manifest is
    name = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    in_root = BooleanAttribute()
    current_version_id = NumberAttribute()
    summary = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    license = UnicodeAttribute(null=True)
    homepage = UnicodeAttribute(null=True)
    labels: ListAttribute[str] = ListAttribute(default=list)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Version(Stored, discriminator="version"):
    """A published rockspec. The module's / `version#<lower-case version>`."""

    id = NumberAttribute()
    module_id = NumberAttribute()
    version_name = UnicodeAttribute()
    display_version_name = UnicodeAttribute(null=True)
    rockspec_fname = UnicodeAttribute()
    lua_version = UnicodeAttribute(null=True)
    dependencies: ListAttribute[str] = ListAttribute(default=list)
    development = BooleanAttribute()
    archived = BooleanAttribute(default=False)
    source_url = UnicodeAttribute(null=True)


class Rock(Stored, discriminator="rock"):
    """A built file of a version. The module's / `rock#<lower-case version>#<arch>`."""

    id = NumberAttribute()
    version_id = NumberAttribute()
    arch = UnicodeAttribute()
    rock_fname = UnicodeAttribute()


class VersionId(LuaRocksItem, discriminator="version-id"):
    """Leads from a version's id to it. `version-id#<id>` / `version-id`."""

    user_id = NumberAttribute()
    user = UnicodeAttribute()
    name = UnicodeAttribute()
    version_name = UnicodeAttribute()


def module_pk(user_id: int, name: str) -> str:
    """The partition of a module: `name` in any letter case."""
    return f"module#{int(user_id)}#{name.lower()}"
