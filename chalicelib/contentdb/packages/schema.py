"""The JSON Schema of `.cdb.json`, which authors' editors check the file with."""

from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages import edits
from chalicelib.contentdb.store import reference

_URLS = ("repo", "website", "issue_tracker", "forum_url", "video_url", "donate_url", "translation_url")


def cdb_schema(snapshot: ContentDbSnapshot) -> dict[str, Any]:
    """The schema with the licences, tags and content warnings that there are."""
    rows = reference.of(snapshot)
    licenses = {
        "type": "string",
        "enum": list(rows.licenses),
        "enumDescriptions": ["FOSS" if row["is_foss"] else "NON-FOSS" for row in rows.licenses.values()],
    }
    return {
        "title": "CDB",
        "description": "Package metadata that is read from .cdb.json when a release is made",
        "type": "object",
        "$defs": {"license": licenses},
        "properties": {
            "type": _words("Package type", edits.TYPES),
            "title": _text("Human-readable title", "title"),
            "name": {**_text("Technical name", "name"), "pattern": "^[a-z0-9_]+$"},
            "short_description": _text("Short description", "short_description"),
            "dev_state": _words("Development state", edits.DEV_STATES),
            "ai_disclosure": _words("How much of the package was made by generative AI", edits.AI_DISCLOSURES),
            "tags": _list("Tags", rows.tags),
            "content_warnings": _list("Content warnings", rows.content_warnings),
            "license": {"$ref": "#/$defs/license"},
            "media_license": {"$ref": "#/$defs/license"},
            "long_description": _text("Long description, in Markdown", "long_description"),
            "forums": {"description": "Forum topic id", "type": ["integer", "null"], "minimum": 0},
            **{name: {"type": ["string", "null"], "format": "uri"} for name in _URLS},
        },
    }


def _text(description: str, field: str) -> dict[str, Any]:
    return {"description": description, "type": "string", "maxLength": edits.LONGEST[field]}


def _words(description: str, words: tuple[str, ...]) -> dict[str, Any]:
    return {"description": description, "type": "string", "enum": list(words)}


def _list(description: str, rows: Any) -> dict[str, Any]:
    titles = [row["title"] for row in rows.values()]
    items = {"type": "string", "enum": list(rows), "enumDescriptions": titles}
    return {"description": description, "type": "array", "uniqueItems": True, "items": items}
