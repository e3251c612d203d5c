"""The long description of a package as Luanti's markup."""

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.texts import hypertext
from chalicelib.contentdb.texts.hypertext import Hypertext
from chalicelib.core.catalogues.snapshots import Entry


def of(snapshot: ContentDbSnapshot, package: Entry[PackageEntry], base: str, *, include_images: bool) -> Hypertext:
    """The description, cached; relative links are resolved against the package's page."""
    page = f"{base}/packages/{package.key}/"

    def convert(_: ContentDbSnapshot) -> Hypertext:
        return hypertext.from_stored(package.value.long_description or "", page, include_images, base=base)

    return snapshot.lru_cached(("hypertext", page, include_images), convert)
