"""Another Moonbase as the source of an import: it knows owners, dates, downloads and states."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from commands.rocks_sources import Listed, RocksServer, SourceFile

Document = dict[str, Any]


class MoonbaseServer(RocksServer):
    """Another Moonbase; its export lists all modules, archived ones too."""

    documents: list[Document]

    def is_one(self) -> bool:
        """Whether the server has an export. Reads it. Raises OSError."""
        answer = self.fetch("api/1/export")
        if answer.status != 200 or not answer.headers.get("content-type", "").startswith("application/json"):
            return False
        self.documents = [*self._pages(json.loads(answer.body))]
        self.documents.sort(key=lambda document: not document["module"]["in_root"])
        return True

    def listed(self) -> Listed:
        found = Listed()
        for document in self.documents:
            found.files += _files(document)
        found.files.sort(key=lambda file: file.arch is not None)  # rockspecs first, those of the root before others
        return found

    def _pages(self, page: Document) -> Iterator[Document]:
        yield from page["modules"]
        while page["next"]:
            answer = self.fetch(f"api/1/export?{urlencode({'after': page['next']})}")
            if answer.status != 200:
                raise OSError(f"the export of the server ended with {answer.status}")
            page = json.loads(answer.body)
            yield from page["modules"]


def state_of(document: Document) -> tuple[Document, dict[str, Document]]:
    """The state of a module and of its versions, see moving.restore."""
    module = document["module"]
    names = ("display_name", "summary", "description", "license", "homepage", "archived", "immutable", "in_root")
    state = {
        **{name: module[name] for name in names},
        "labels": tuple(module["labels"]),
        "archive_reason": module["reason"],
        "created_at": seconds(module["created_at"]),
        "updated_at": seconds(module["updated_at"]),
    }
    versions = {
        version["version_name"]: {
            "archived": version["archived"],
            "archive_reason": version["reason"],
            "development": version["development"],
        }
        for version in document["versions"]
    }
    return state, versions


def seconds(date: str) -> int:
    """The epoch seconds of a date such as `2024-01-15 10:30:00`, UTC."""
    return int(datetime.strptime(date, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


def _files(document: Document) -> Iterator[SourceFile]:
    module = document["module"]
    for version in document["versions"]:
        for file in version["files"]:
            yield SourceFile(
                path=f"manifests/{module['user']}/{quote(file['name'])}",
                names=((module["name"], version["version_name"]),),
                arch=None if file["arch"] == "rockspec" else file["arch"],
                owner=module["user"],
                sha256=file["sha256"],
                created_at=seconds(file["created_at"]),
                updated_at=seconds(file["updated_at"]),
            )
