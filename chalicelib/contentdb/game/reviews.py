"""A package's reviews as one text in Luanti's markup, for the game's package dialog."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from chalicelib.contentdb.entry import ContentDbSnapshot, PackageEntry
from chalicelib.contentdb.reviews import wire as review_wire
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.tables import Review
from chalicelib.contentdb.texts import hypertext
from chalicelib.contentdb.texts.hypertext import Hypertext, escape

SHOWN = 100
_THUMBS = {5: "<thumbsup>", 3: "<neutral>", 1: "<thumbsdown>"}  # the game replaces them by pictures


def of(snapshot: ContentDbSnapshot, package: PackageEntry, reviews: Sequence[Review], base: str) -> Hypertext:
    """The most helpful reviews; `reviews` are all of them, in order. Images are links."""
    page = f"{base}/packages/{package.author}/{package.name}/"
    text = _Text()
    text.write(text.link(f"{page}#reviews", "Leave a review"), "\n\n")
    for review in reviews[:SHOWN]:
        name = index.display_name(snapshot, review.author)
        text.write(text.link(f"{base}/users/{review.author}/", name), f" {_THUMBS[int(review.rating)]}\n")
        text.write(f"<big>{escape(review.title)}</big>\n")
        text.add(_comment(review.comment, page, f"review_{int(review.id)}_", base))
        text.write(text.link(review_wire.url(review, package, base), _helpfulness(review)), "\n\n")
    if not reviews:
        text.write("No reviews available.")
    elif len(reviews) > SHOWN:
        url = f"{base}/api/packages/{package.author}/{package.name}/reviews/"
        text.write(text.link(url, f"All {len(reviews)} reviews"))
    return text.finished()


class _Text:
    """A text that is joined from several ones, whose links are numbered in sequence."""

    def __init__(self) -> None:
        self._result = Hypertext("")
        self._written: list[str] = []
        self._links = 0

    def write(self, *markup: str) -> None:
        self._written += markup

    def link(self, url: str, text: str) -> str:
        self._links += 1
        name = f"link_{self._links}"
        self._result.links[name] = url
        return hypertext.action(name, text)

    def add(self, part: Hypertext) -> None:
        self._written.append(part.body)
        self._result.links.update(part.links)

    def finished(self) -> Hypertext:
        self._result.body = "".join(self._written).rstrip("\n") + "\n"
        return self._result


@lru_cache(maxsize=1024)
def _comment(text: str, page: str, prefix: str, base: str) -> Hypertext:
    """A comment as markup; the cached object must not be changed."""
    return hypertext.from_stored(text, page, include_images=False, prefix=prefix, base=base)


def _helpfulness(review: Review) -> str:
    """The numbers of comments and votes."""
    votes: Iterable[tuple[str, int]] = review_wire.votes(review).items()
    comments = int(review.comments)
    counted = f"{comments} comment{'' if comments == 1 else 's'}"
    return ", ".join((counted, *(f"{number} {word}" for word, number in votes)))
