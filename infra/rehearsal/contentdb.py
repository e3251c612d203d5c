"""ContentDB: a package, releases by request and by upload slot, their check, an approval, downloads."""

import io
import zipfile

from infra.rehearsal.place import Failure, Place, until


def publish(place: Place, token: str, package: str, *, slot: bool) -> bytes:
    """Make a package with a release, by slot or by request, and let it be found; returns the release's zip."""
    author, name = package.split("/")
    about = ("--title", "Say", "--license", "MIT", "--short-description", "Says something.")
    place.moonbase("contentdb", "package", "create", package, "--type", "MOD", *about)
    content = release(place, token, author, name, slot=slot)
    place.moonbase("contentdb", "package", "approve", package)
    return content


def release(place: Place, token: str, author: str, name: str, *, slot: bool) -> bytes:
    """A release, once its check has succeeded."""
    content, bearer = _zip(name, slot=slot), {"Authorization": f"Bearer {token}"}
    form, file = {"title": "by slot" if slot else "by request"}, content
    if slot:
        opened = place.site.json("POST", "/api/uploads/new/", headers=bearer)
        place.send(opened, content)
        form, file = {**form, "upload": opened["upload"]}, b""
    made = place.site.json("POST", f"/api/packages/{author}/{name}/releases/new/", form=form, file=file, headers=bearer)
    task = until("the check of a release", lambda: _done(place, made["task"]))
    if task["status"] != "SUCCESS":
        raise Failure(f"the check of a release: {task}")
    return content


def read(place: Place, package: str, content: bytes) -> None:
    """The package is found, and its release has the bytes that were sent."""
    author, name = package.split("/")
    found = place.site.json("GET", "/api/packages/?q=say")
    if {"author": author, "name": name} not in [{"author": one["author"], "name": one["name"]} for one in found]:
        raise Failure(f"{package} is not found: {found}")
    if place.site.fetch(f"/packages/{package}/download/") != content:
        raise Failure(f"{package} has other bytes than were sent")


def _done(place: Place, task: str) -> dict[str, str] | None:
    found: dict[str, str] = place.site.json("GET", task)
    return found if found["status"] in ("SUCCESS", "FAILURE") else None


def _zip(name: str, *, slot: bool) -> bytes:
    """A mod; one that goes through a slot is larger than a request may be."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("init.lua", "-- nothing yet\n")
        archive.writestr("mod.conf", f"name = {name}\n")
        archive.writestr("LICENSE.txt", "MIT\n")
        if slot:
            archive.writestr("sounds/noise.ogg", bytes(5_000_000))
    return file.getvalue()
