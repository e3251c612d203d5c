"""The language of a response."""

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import reference, rows
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request


def wanted(request: Request, snapshot: ContentDbSnapshot) -> str:
    """The best known language of Accept-Language in which any package has texts; empty for English, the original."""
    known = snapshot.cached("languages", _known)
    accepted = offers(request.headers.get("accept-language", ""))
    for tag, quality in sorted(accepted.items(), key=lambda offer: -offer[1]):
        language = tag.replace("-", "_")
        found = known.get(language) or known.get(language.split("_")[0])
        if quality > 0 and found is not None:
            return found if found in rows.of(snapshot).languages else ""
    return ""


def _known(snapshot: ContentDbSnapshot) -> dict[str, str]:
    return {code.lower(): code for code in reference.of(snapshot).languages}
