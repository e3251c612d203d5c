"""A package for the game's own dialog, since Luanti 5.10."""

from typing import Any

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.game import description, sidebar
from chalicelib.contentdb.packages import shapes
from chalicelib.contentdb.store import scores, versions
from chalicelib.core.catalogues.snapshots import Entry


def dialog(
    snapshot: ContentDbSnapshot,
    package: Entry[PackageEntry],
    *,
    version: int | None,
    include_images: bool,
    language: str,
    base: str,
) -> dict[str, Any]:
    """A whole package, with texts as markup and the stored counters.

    The dialog needs a string for every text and for the size. Without a release for `version` the size is that of 0
    bytes.
    """
    value = scores.current(package)
    release = versions.newest_release(value, version)
    return {
        **shapes.full(snapshot, value, language=language, base=base),
        "release": release.id if release else None,
        "download_size": _size(release.size if release else 0),
        "long_description": description.of(snapshot, package, base, include_images=include_images).as_json(),
        "info_hypertext": sidebar.of(snapshot, package, base).as_json(),
        "screenshots": [{"title": shot.title, "url": f"{base}/uploads/{shot.file}"} for shot in value.screenshots],
        "reviews": shapes.reviews(value),
    }


def _size(count: int) -> str:
    """A number of bytes in readable form: `2 KB`, `1.5 MB`."""
    kilobytes = count / 1024
    return f"{round(kilobytes)} KB" if kilobytes <= 1024 else f"{kilobytes / 1024:.1f} MB"
