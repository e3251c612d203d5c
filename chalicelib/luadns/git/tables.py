"""The items of repositories and builds, in LuaDNS' table. Each docstring names `pk` / `sk`."""

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute

from chalicelib.luadns.tables import LuaDnsItem

REPOSITORY_SK = "repository"
BUILDS_PREFIX = "build#"


class Repository(LuaDnsItem, discriminator="repository"):
    """The Git repository with the zones of an account. `account#<account id>` / `repository`."""

    uri = UnicodeAttribute()
    branch = UnicodeAttribute(null=True)  # None: the default branch
    queued = NumberAttribute(null=True)  # the build that has not started yet; further pushes join it
    running = NumberAttribute(null=True)
    commit = UnicodeAttribute(null=True)  # the last one that was published
    committed_at = UTCDateTimeAttribute(null=True)  # by its committer


class Build(LuaDnsItem, discriminator="build"):
    """One build. `account#<account id>` / `build#<id, 10 digits>`. It expires with the history of zones."""

    id = NumberAttribute()
    state = UnicodeAttribute()  # queued, running, published or failed
    uri = UnicodeAttribute()
    branch = UnicodeAttribute(null=True)
    choices = JSONAttribute()  # names of choices: prune, adopt, older
    commit = UnicodeAttribute(null=True)
    author = UnicodeAttribute(null=True)
    subject = UnicodeAttribute(null=True)  # the first line of the commit's message
    committed_at = UTCDateTimeAttribute(null=True)
    created_at = UTCDateTimeAttribute()
    finished_at = UTCDateTimeAttribute(null=True)
    zones = JSONAttribute(null=True)  # see publishing.described
    errors = JSONAttribute(null=True)  # [[file, line, message], ...]


def build_sk(number: int) -> str:
    """The sort key of a build."""
    return f"{BUILDS_PREFIX}{int(number):010d}"
