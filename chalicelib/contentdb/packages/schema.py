"""The JSON Schema of `.cdb.json`, with which editors validate the file."""

from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.packages.fields import FIELDS
from chalicelib.contentdb.store import reference


def cdb_schema(snapshot: ContentDbSnapshot) -> dict[str, Any]:
    """The schema, with the current licences, tags and content warnings."""
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
        "properties": {field.name: field.schema(rows) for field in FIELDS if field.schema},
    }
