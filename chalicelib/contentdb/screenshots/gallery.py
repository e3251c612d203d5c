"""Screenshots: adds, orders and deletes them, and sets the cover image."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chalicelib import settings
from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.media import files, formats, images
from chalicelib.contentdb.media.images import Picture
from chalicelib.contentdb.packages import registry
from chalicelib.contentdb.store import history, index, notices, permissions
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.permissions import PackageAction
from chalicelib.contentdb.store.tables import Package, PublicFile, Screenshot, screenshot_sk
from chalicelib.core import ids, uploads
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict, Invalid, NotFound, TooMany
from chalicelib.core.storage import Transaction

MOST = 60
_RATE_LIMIT, _PERIOD = 20, timedelta(minutes=30)


@dataclass(frozen=True)
class NewScreenshot:
    """A submitted screenshot; `slot` is its upload slot, if any."""

    title: str
    filename: str
    content: bytes
    is_cover_image: bool
    slot: str | None = None


def get(parts: Parts, screenshot_id: int) -> Screenshot:
    """A package's screenshot; raises NotFound."""
    if shot := parts.screenshots.get(screenshot_id):
        return shot
    raise NotFound("Screenshot not found")


def in_order(parts: Parts) -> list[Screenshot]:
    """All screenshots of a package, in order."""
    return sorted(parts.screenshots.values(), key=lambda shot: (shot.order, shot.id))


def require_may(caller: Caller, package: Package, verb: str) -> None:
    """Raise Forbidden unless the caller can `create`, `delete` or `change` screenshots."""
    refusal = f"You do not have the permission to {verb} screenshots"
    permissions.require(caller.account, PackageAction.ADD_SCREENSHOTS, package, refusal)


def create(caller: Caller, parts: Parts, wanted: NewScreenshot) -> tuple[Parts, Screenshot]:
    """Append a screenshot; return the package's parts and the screenshot. Raises Invalid, Forbidden, TooMany."""
    permissions.require_token_for(caller, parts.package)
    _check_rate(parts)
    if not wanted.filename.lower().endswith(tuple(f".{extension}" for extension in formats.EXTENSIONS)):
        raise Invalid("Please upload a PNG, JPEG, or WebP image file")
    picture = images.inspect(wanted.content)
    _check_size(picture)
    number = ids.reserve("contentdb-screenshot")
    file = files.store(picture.content, picture.extension)

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> Screenshot:
        package = parts.package
        if len(parts.screenshots) >= MOST:
            raise Invalid(f"A package can have at most {MOST} screenshots")
        shot = _screenshot(package, number, wanted.title, file, picture)
        shot.approved = permissions.may(caller.account, PackageAction.APPROVE_SCREENSHOT, package)
        shot.order = len(parts.screenshots) + 1
        _number(writes, in_order(parts))
        parts.screenshots[number] = shot
        writes.create(shot)
        files.add(writes, file)
        if wanted.is_cover_image:
            writes.update(package, package.assign(cover_image=number))
        if wanted.slot:
            uploads.use(writes, wanted.slot)
        writes.put(history.audit_entry(package, "screenshot.create", caller, screenshot=number))
        published = history.event_file(file)
        history.announce(writes, package, caller, "screenshot", "publish", files=[published], listed=shot.approved)
        return shot

    try:
        published, shot = index.publish(parts.package.author, parts.package.name, decide)
    except BaseException:
        files.drop([file.blob])
        raise
    if wanted.slot:
        uploads.delete_file(wanted.slot)
    return published, shot


def approve(author: str, name: str, screenshot_id: int, by: Caller | None = None) -> Parts:
    """Approve a screenshot, so that it is shown. `by` None is the administrator. Raises NotFound or Forbidden."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        package, shot = parts.package, get(parts, screenshot_id)
        refusal = "You do not have the permission to approve screenshots"
        registry.authorize(by, PackageAction.APPROVE_SCREENSHOT, package, refusal)
        if not shot.approved:
            writes.update(shot, shot.assign(approved=True), Screenshot.pk.exists())
            writes.put(history.audit_entry(package, "screenshot.approve", by, screenshot=screenshot_id))
            history.announce(writes, package, by, "screenshot", "publish", files=[history.event_file(shot)])

    return index.publish(author, name, decide)[0]


def refuse(author: str, name: str, screenshot_id: int, reason: str, by: Caller | None = None) -> None:
    """Delete a screenshot that waits for approval, and tell the author and the maintainers why.

    `by` None is the administrator. Raises NotFound, Forbidden or Conflict.
    """

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        package, shot = parts.package, get(parts, screenshot_id)
        refusal = "You do not have the permission to refuse screenshots"
        registry.authorize(by, PackageAction.APPROVE_SCREENSHOT, package, refusal)
        if shot.approved:
            raise Conflict("The screenshot is approved already")
        subject = f"{notices.name_of(by)} refused a screenshot of {package.key}"
        people, page = notices.people_of(package), notices.page_of(package)
        notices.tell(writes, people, by, notices.REFUSAL, subject, page, reason)
        return _drop(writes, parts, shot, by, reason=reason)

    _, dropped = index.publish(author, name, decide)
    files.drop(dropped)


def delete(caller: Caller, author: str, name: str, screenshot_id: int) -> None:
    """Delete a screenshot. Raises NotFound or Forbidden."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> list[str]:
        package, shot = parts.package, get(parts, screenshot_id)
        require_may(caller, package, "delete")
        permissions.require_token_for(caller, package)
        return _drop(writes, parts, shot, caller)

    _, dropped = index.publish(author, name, decide)
    files.drop(dropped)


def put_in_order(caller: Caller, author: str, name: str, wanted: Sequence[int]) -> None:
    """Number the screenshots with these ids from 1 on; others keep their numbers. Raises Invalid or Forbidden."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        permissions.require_token_for(caller, parts.package)
        unknown = [number for number in wanted if number not in parts.screenshots]
        if unknown:
            raise Invalid(f"Unable to find screenshot with id={unknown[0]}")
        _number(writes, [parts.screenshots[number] for number in dict.fromkeys(wanted)])
        writes.put(history.audit_entry(parts.package, "screenshot.order", caller))
        history.announce(writes, parts.package, caller, "package", "change")

    index.publish(author, name, decide)


def set_cover(caller: Caller, author: str, name: str, screenshot_id: int) -> None:
    """Set the cover image of a package. Raises Invalid or Forbidden."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        permissions.require_token_for(caller, parts.package)
        if screenshot_id not in parts.screenshots:
            raise Invalid("Unable to find screenshot")
        writes.update(parts.package, parts.package.assign(cover_image=screenshot_id))
        writes.put(history.audit_entry(parts.package, "screenshot.cover", caller, screenshot=screenshot_id))
        history.announce(writes, parts.package, caller, "package", "change")

    index.publish(author, name, decide)


def _drop(writes: Transaction, parts: Parts, shot: Screenshot, by: Caller | None, **detail: str) -> list[str]:
    """Add the writes that delete a screenshot; return the blobs to delete after the commit."""
    package, number = parts.package, int(shot.id)
    writes.delete(shot)
    del parts.screenshots[number]
    dropped = files.remove(writes, shot.file)
    if package.cover_image == number:
        writes.update(package, package.assign(cover_image=None))
    writes.put(history.audit_entry(package, "screenshot.delete", by, screenshot=number, **detail))
    history.announce(writes, package, by, "screenshot", "delete")
    return dropped


def _screenshot(package: Package, number: int, title: str, file: PublicFile, picture: Picture) -> Screenshot:
    return Screenshot(
        package.pk,
        screenshot_sk(number),
        id=number,
        package_id=package.id,
        title=title,
        file=file.name,
        blob=file.blob,
        size=file.size,
        width=picture.width,
        height=picture.height,
        created_at=datetime.now(UTC),
    )


def _number(writes: Transaction, shots: Sequence[Screenshot]) -> None:
    for position, shot in enumerate(shots, start=1):
        if shot.order != position:
            writes.update(shot, shot.assign(order=position))


def _check_rate(parts: Parts) -> None:
    limit = datetime.now(UTC) - _PERIOD
    if sum(shot.created_at > limit for shot in parts.screenshots.values()) >= _RATE_LIMIT:
        raise TooMany("Too many requests, please wait before trying again", retry_after=int(_PERIOD.total_seconds()))


def _check_size(picture: Picture) -> None:
    width, height = settings.current().contentdb_screenshot_width, settings.current().contentdb_screenshot_height
    if picture.width < width or picture.height < height:
        raise TooMany(f"Screenshot is too small, it should be at least {width} by {height} pixels")
