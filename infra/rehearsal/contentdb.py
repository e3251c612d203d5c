"""ContentDB: a package, releases by request and by upload slot, their check, an approval, downloads."""

import io
import zipfile

from infra.rehearsal.installation import Failure, Installation, until


def publish(installation: Installation, token: str, package: str, *, slot: bool) -> bytes:
    """Create and approve a package with a release, by slot or by request; return the release's zip."""
    author, name = package.split("/")
    about = ("--title", "Say", "--license", "MIT", "--short-description", "Says something.")
    installation.moonbase("contentdb", "package", "create", package, "--type", "MOD", *about)
    content = release(installation, token, author, name, slot=slot)
    installation.moonbase("contentdb", "package", "approve", package)
    return content


def release(installation: Installation, token: str, author: str, name: str, *, slot: bool) -> bytes:
    """Create a release and wait until its check has succeeded; return its zip."""
    content, bearer = _zip(name, slot=slot), {"Authorization": f"Bearer {token}"}
    form, file = {"title": "by slot" if slot else "by request"}, content
    if slot:
        opened = installation.site.json("POST", "/api/uploads/new/", headers=bearer)
        installation.send(opened, content)
        form, file = {**form, "upload": opened["upload"]}, b""
    made = installation.site.json(
        "POST", f"/api/packages/{author}/{name}/releases/new/", form=form, file=file, headers=bearer
    )
    task = until("the check of a release", lambda: _done(installation, made["task"]))
    if task["status"] != "SUCCESS":
        raise Failure(f"the check of a release: {task}")
    return content


def read(installation: Installation, package: str, content: bytes) -> None:
    """Find the package, and compare its release with the bytes that were sent."""
    author, name = package.split("/")
    found = installation.site.json("GET", "/api/packages/?q=say")
    if {"author": author, "name": name} not in [{"author": one["author"], "name": one["name"]} for one in found]:
        raise Failure(f"{package} is not found: {found}")
    if installation.site.fetch(f"/packages/{package}/download/") != content:
        raise Failure(f"{package} has other bytes than were sent")


def _done(installation: Installation, task: str) -> dict[str, str] | None:
    found: dict[str, str] = installation.site.json("GET", task)
    return found if found["status"] in ("SUCCESS", "FAILURE") else None


def _zip(name: str, *, slot: bool) -> bytes:
    """The zip of a mod; for a slot it is larger than a request may be."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("init.lua", "-- nothing yet\n")
        archive.writestr("mod.conf", f"name = {name}\n")
        archive.writestr("LICENSE.txt", "MIT\n")
        if slot:
            archive.writestr("sounds/noise.ogg", bytes(5_000_000))
    return file.getvalue()
