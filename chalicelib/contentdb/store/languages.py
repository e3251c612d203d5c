"""The language that a client wants to read."""

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index, reference
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request


def wanted(request: Request, snapshot: ContentDbSnapshot) -> str:
    """The best known language of Accept-Language in which any package has texts; empty for English, as written."""
    known = snapshot.keep("languages", _known)
    accepted = offers(request.headers.get("accept-language", ""))
    for tag, quality in sorted(accepted.items(), key=lambda offer: -offer[1]):
        language = tag.replace("-", "_")
        found = known.get(language) or known.get(language.split("_")[0])
        if quality > 0 and found is not None:
            return found if found in snapshot.keep("translated", _translated) else ""
    return ""


def _known(snapshot: ContentDbSnapshot) -> dict[str, str]:
    return {code.lower(): code for code in reference.of(snapshot).languages}


def _translated(snapshot: ContentDbSnapshot) -> set[str]:
    """The languages that some package has texts in: of others no answers need be kept apart."""
    return {language for entry in index.packages(snapshot) for language in entry.value.translations}
