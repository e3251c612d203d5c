"""The language that a client wants to read."""

from chalicelib.contentdb import index, reference
from chalicelib.core.views import View
from chalicelib.web.negotiation import offers
from chalicelib.web.request import Request


def wanted(request: Request, view: View) -> str:
    """The best known language of Accept-Language in which any package has texts; empty for English, as written."""
    known = view.keep("languages", _known)
    accepted = offers(request.headers.get("accept-language", ""))
    for tag, quality in sorted(accepted.items(), key=lambda offer: -offer[1]):
        language = tag.replace("-", "_")
        found = known.get(language) or known.get(language.split("_")[0])
        if quality > 0 and found is not None:
            return found if found in view.keep("translated", _translated) else ""
    return ""


def _known(view: View) -> dict[str, str]:
    return {code.lower(): code for code in reference.of(view).languages}


def _translated(view: View) -> set[str]:
    """The languages that some package has texts in: of others no answers need be kept apart."""
    return {language for entry in index.packages(view) for language in entry.value["translations"]}
