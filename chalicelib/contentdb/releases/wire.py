"""Releases as JSON: parses requests, renders responses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.contentdb import wire
from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.releases.publishing import LONGEST_NAME, NewRelease
from chalicelib.contentdb.store import versions
from chalicelib.contentdb.store.tables import Release, Task
from chalicelib.contentdb.store.values import iso
from chalicelib.core import uploads
from chalicelib.core.caller import Caller
from chalicelib.core.catalogues.snapshots import Value
from chalicelib.core.errors import Invalid
from chalicelib.web.request import Request

PURPOSE = "contentdb"
_LONGEST = {"name": LONGEST_NAME, "title": 100, "release_notes": 10_000, "ref": 255}  # characters


def parse(request: Request, caller: Caller) -> NewRelease:
    """The release in a JSON object or a form; its file can be in an upload slot. Raises Invalid."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = content_type == "application/json"
    data = wire.parse_object(request) if is_json else {name: values[0] for name, values in request.form.fields.items()}
    name, title = _text(data, "name"), _text(data, "title")
    if not (name or title):
        raise Invalid("name is required in the POST data")
    wanted = NewRelease(
        name=name or (title or "")[:LONGEST_NAME].strip(),
        title=title or name or "",
        release_notes=_notes(data),
        named=bool(name),
        commit=(_text(data, "commit") or "").lower() or None,
    )
    if _text(data, "method") == "git":
        wanted = replace(wanted, ref=_text(data, "ref"), commit=None)
    _check_lengths(wanted)
    if _text(data, "method") == "git":
        return wanted
    if slot := _text(data, "upload"):
        content = uploads.read(caller, PURPOSE, slot)
        return replace(wanted, filename="upload.zip", content=content, slot=slot)
    if is_json or not (request.form.files or "file" in data):
        raise Invalid("Unknown release-creation method. Specify the method or provide a file.")
    file = request.form.file("file")
    if file is None:
        raise Invalid("Missing 'file' in multipart body" if "file" not in data else "Expected file")
    return replace(wanted, filename=file.filename, content=file.content)


def render(snapshot: ContentDbSnapshot, release: Release, logged: Mapping[int, int] | None = None) -> Value:
    """A release; engine versions are rows of reference data. Its state and the results of its check are additions.

    `logged` has the indices of releases in the transparency log by their ids; with it `log` is one more addition.
    """
    found = {} if logged is None else {"log": logged.get(int(release.id))}
    return {
        "id": int(release.id),
        "name": release.name,
        "title": release.title,
        "release_notes": release.release_notes,
        "url": f"/uploads/{release.file}" if release.file else None,
        "release_date": iso(release.created_at),
        "commit": release.commit_hash,
        "downloads": int(release.downloads),
        "min_minetest_version": versions.row_of(snapshot, _number(release.min_version)),
        "max_minetest_version": versions.row_of(snapshot, _number(release.max_version)),
        "size": int(release.size),
        "state": release.state,
        "task": f"/tasks/{release.task_id}/" if release.task_id else None,
        "error": release.error,
        "warnings": list(release.warnings or ()),
        **found,
    }


def render_with_package(snapshot: ContentDbSnapshot, release: Release, package: PackageEntry) -> Value:
    """A release with its package."""
    return render(snapshot, release) | {
        "package": {"author": package.author, "name": package.name, "type": package.type}
    }


def render_task(task_id: str, task: Task | None) -> Value:
    """The progress of a task; an unknown task is pending, as in upstream."""
    if task is None:
        return {"id": task_id, "status": "PENDING", "result": None}
    if task.status == "FAILURE":
        return {"id": task_id, "status": task.status, "error": task.error}
    return {"id": task_id, "status": task.status, "result": task.result}


def _text(data: Mapping[str, Any], name: str) -> str | None:
    """A text, stripped; None for a missing or an empty one. Raises Invalid."""
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{name} must be a str")
    return value.strip() if value and value.strip() else None


def _notes(data: Mapping[str, Any]) -> str | None:
    notes = _text(data, "release_notes")
    return notes.replace("\r\n", "\n") if notes else None


def _check_lengths(wanted: NewRelease) -> None:
    for name, limit in _LONGEST.items():
        if len(getattr(wanted, name) or "") > limit:
            raise Invalid(f"{name} must be at most {limit} characters long")


def _number(value: Any) -> int | None:
    return int(value) if value is not None else None
