"""The language that a client wants to read."""

from chalicelib.contentdb import index, reference
from chalicelib.core.views import View
from chalicelib.web.request import Request


def wanted(request: Request, view: View) -> str:
    """The best known language of Accept-Language in which any package has texts; empty for English, as written."""
    offers: list[tuple[float, str]] = []
    for offer in request.headers.get("accept-language", "")[:500].split(","):
        tag, _, quality = offer.partition(";")
        offers.append((_quality(quality), tag.strip().replace("-", "_").lower()))
    known = view.keep("languages", _known)
    for weight, tag in sorted(offers, key=lambda offer: -offer[0]):
        found = known.get(tag) or known.get(tag.split("_")[0])
        if weight > 0 and found is not None:
            return found if found in view.keep("translated", _translated) else ""
    return ""


def _known(view: View) -> dict[str, str]:
    return {code.lower(): code for code in reference.of(view).languages}


def _translated(view: View) -> set[str]:
    """The languages that some package has texts in: of others no answers need be kept apart."""
    return {language for entry in index.packages(view) for language in entry.value["translations"]}


def _quality(text: str) -> float:
    name, _, number = text.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(number)
    except ValueError:
        return 0.0
