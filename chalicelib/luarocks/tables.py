"""LuaRocks' items, all in one table. The docstring of each class has its `pk`/`sk`."""

from pynamodb.attributes import (
    BooleanAttribute,
    DiscriminatorAttribute,
    JSONAttribute,
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


class FileItem(LuaRocksItem):
    """The attributes of a published file: `revision` counts its uploads, `updated_at` is its Last-Modified."""

    revision = NumberAttribute(default=1)
    sha256 = UnicodeAttribute()
    size = NumberAttribute()
    sig_sha256 = UnicodeAttribute(null=True)  # of its detached signature, if it has one
    sig_size = NumberAttribute(null=True)
    first_sha256 = UnicodeAttribute(null=True)  # of its first upload, if there were several
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Module(LuaRocksItem, discriminator="module"):
    """A module below a username. `module#<id>` / `module`."""

    id = NumberAttribute()
    user_id = NumberAttribute()
    user = UnicodeAttribute()  # the account's lower-case username, in the module's path
    owners = JSONAttribute(default=dict)  # additional owners: account ids by lower-case username
    invited = JSONAttribute(default=dict)  # invited accounts, in the same form
    name = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    in_root = BooleanAttribute()
    archived = BooleanAttribute(default=False)
    archive_reason = UnicodeAttribute(null=True)
    immutable = BooleanAttribute(default=False)
    manifests: ListAttribute[str] = ListAttribute(default=list)  # the custom manifests that list it
    current_version_id = NumberAttribute()
    summary = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    license = UnicodeAttribute(null=True)
    homepage = UnicodeAttribute(null=True)
    labels: ListAttribute[str] = ListAttribute(default=list)
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class Version(FileItem, discriminator="version"):
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
    archive_reason = UnicodeAttribute(null=True)
    source_url = UnicodeAttribute(null=True)
    texts = JSONAttribute(default=dict)  # {"readme": [file name, SHA-256, bytes], "license": ...}, of the source rock


class Rock(FileItem, discriminator="rock"):
    """A built file of a version. The module's / `rock#<version id>#<arch>`."""

    id = NumberAttribute()
    version_id = NumberAttribute()
    arch = UnicodeAttribute()
    rock_fname = UnicodeAttribute()


class VersionId(LuaRocksItem, discriminator="version-id"):
    """Maps a version's id to the version. `version-id#<id>` / `version-id`."""

    module_id = NumberAttribute()
    name = UnicodeAttribute()
    version_name = UnicodeAttribute()


class Manifest(LuaRocksItem, discriminator="manifest"):
    """A custom manifest; each module's item lists its manifests. `manifests` / `<name>`."""

    id = NumberAttribute()
    name = UnicodeAttribute()
    display_name = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    is_open = BooleanAttribute(default=False)
    admins = JSONAttribute(default=dict)  # account ids by lower-case username
    modules_count = NumberAttribute(default=0)
    revision = NumberAttribute(default=1)  # counts the changes; a concurrent change fails and is repeated
    created_at = UTCDateTimeAttribute()
    updated_at = UTCDateTimeAttribute()


class DownloadCount(LuaRocksItem, discriminator="downloads"):
    """The download counter of a file. `downloads#<module id>` / `<version id>#<arch, or rockspec>`."""

    number = NumberAttribute()
    moved = NumberAttribute(null=True)  # of these, the downloads from another server that are included


class DownloadTally(LuaRocksItem, discriminator="tally"):
    """Downloads that an older version counted in memory; a job adds them. `tallies` / `<time>#<random>`."""

    counts = JSONAttribute()  # [[module id, version id, arch or "rockspec", number], ...]
    added = BooleanAttribute(default=False)  # the counters include it


def module_pk(module_id: int) -> str:
    """The partition of a module."""
    return f"module#{int(module_id)}"
