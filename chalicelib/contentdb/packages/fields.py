"""The table of a package's fields: it feeds edits, the schema of `.cdb.json`, the JSON of a package, and its page.

A new field is an attribute of `tables.Package`, a field of `entry.PackageEntry` with a default, and a line here; a test
compares the three.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from chalicelib.contentdb.packages import readers
from chalicelib.contentdb.packages.readers import Reader
from chalicelib.contentdb.store.reference import Reference
from chalicelib.contentdb.store.tables import PACKAGE_TYPES

Schema = Callable[[Reference], dict[str, Any]]

TYPES = tuple(map(str.upper, PACKAGE_TYPES))
DEV_STATES = (
    "WIP",
    "BETA",
    "ACTIVELY_DEVELOPED",
    "MAINTENANCE_ONLY",
    "AS_IS",
    "DEPRECATED",
    "LOOKING_FOR_MAINTAINER",
)
AI_DISCLOSURES = ("NONE", "ASSISTED", "GENERATED")


@dataclass(frozen=True)
class Field:
    """A field by its name in the API.

    `kind` is the JSON type that an edit must send (None: edits cannot set the field, and ignore it).
    `longest` is its maximum length, in characters or list elements. `shown`: a package's JSON has the stored value.
    `label` names the field's link on the page. `schema` describes it in the schema of `.cdb.json`.
    """

    name: str
    kind: type | None = None
    read: Reader = readers.unchanged
    longest: int = 200
    nullable: bool = False
    shown: bool = True
    label: str | None = None
    schema: Schema | None = None


def _text(
    name: str, longest: int, description: str, read: Reader = readers.unchanged, *, nullable: bool = False, **more: Any
) -> Field:
    schema = {"description": description, "type": "string", "maxLength": longest, **more}
    return Field(name, str, read, longest, nullable, schema=lambda _: schema)


def _link(name: str, label: str, read: readers.Reader | None = None, *, shown: bool = True) -> Field:
    schema = {"type": ["string", "null"], "format": "uri"}
    return Field(
        name, str, read or readers.link(name), nullable=True, shown=shown, label=label, schema=lambda _: schema
    )


def _words(name: str, description: str, words: tuple[str, ...], *, clear: str | None = None) -> Field:
    schema = {"description": description, "type": "string", "enum": list(words)}
    return Field(name, str, readers.one_of(name, words, clear), nullable=clear is not None, schema=lambda _: schema)


def _license(name: str) -> Field:
    return Field(name, str, readers.license_name, schema=lambda _: {"$ref": "#/$defs/license"})


def _names(name: str, description: str, singular: str) -> Field:
    def schema(reference: Reference) -> dict[str, Any]:
        rows = getattr(reference, name)
        titles = [row["title"] for row in rows.values()]
        items = {"type": "string", "enum": list(rows), "enumDescriptions": titles}
        return {"description": description, "type": "array", "uniqueItems": True, "items": items}

    return Field(name, list, readers.names(name, singular), nullable=True, schema=schema)


_GAMES = {
    "description": "Games that the package supports or does not support, above what its .conf and dependencies say",
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "properties": {
            "game": {"description": "author/name", "type": "string"},
            "supports": {"type": "boolean"},
        },
        "required": ["game", "supports"],
    },
}
_TOPIC = {"description": "Forum topic id", "type": ["integer", "null"], "minimum": 0}
FIELDS = (
    Field("author"),
    _text("name", 100, "Technical name", readers.name, pattern="^[a-z0-9_]+$"),
    _text("title", 100, "Human-readable title", readers.filled("title")),
    _text("short_description", 200, "Short description", readers.filled("short_description")),
    _text("long_description", 50_000, "Long description, in Markdown", readers.markdown_text, nullable=True),
    _words("type", "Package type", TYPES),
    Field("state"),
    _words("dev_state", "Development state", DEV_STATES, clear="NONE"),
    _words("ai_disclosure", "How much of the package was made by generative AI", AI_DISCLOSURES, clear="UNKNOWN"),
    Field("created_at"),
    Field("approved_at"),
    _license("license"),
    _license("media_license"),
    _link("repo", "Source code", readers.repository),
    _link("website", "Website"),
    _link("issue_tracker", "Issues"),
    Field("forums", int, nullable=True, schema=lambda _: _TOPIC),
    _link("forum_url", "Forum", shown=False),  # another way to set `forums`
    _link("video_url", "Video"),
    _link("translation_url", "Translation"),
    _link("donate_url", "Donate", shown=False),  # the JSON falls back to the author's
    _names("tags", "Tags", "tag"),
    _names("content_warnings", "Content warnings", "warning"),
    Field("provides"),
    Field("supports_all_games"),
    Field(  # the JSON describes the games
        "game_support", list, readers.games, nullable=True, shown=False, schema=lambda _: _GAMES
    ),
    Field("downloads"),
)
BY_NAME = {field.name: field for field in FIELDS}
ALIASES = {"short_desc": "short_description", "desc": "long_description", "issueTracker": "issue_tracker"}
COMPUTED = ("maintainers", "release", "score", "screenshots", "thumbnail", "url", "video_thumbnail_url")
IGNORED = {*COMPUTED, *(field.name for field in FIELDS if field.kind is None)}  # a response to GET is a valid edit
SHOWN = tuple(field.name for field in FIELDS if field.shown)


def labels() -> Iterable[tuple[str, str]]:
    """The links of a page: (label, field)."""
    return ((field.label, field.name) for field in FIELDS if field.label)
