"""The counters of reviews: the number of a package's approved reviews of each rating, and their part of its score."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from chalicelib.contentdb.entry import ContentDbSnapshot
from chalicelib.contentdb.store import index
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.tables import ContentDbItem, Counters, Package, Review, package_pk, reviews_pk
from chalicelib.core.declaration import Inconsistency
from chalicelib.core.storage import Transaction

RATINGS = {5: "positive", 3: "neutral", 1: "negative"}
_POINTS = 75  # points for each step of the rating from neutral: a positive review is +150, a negative one -150
_NAMES = ("score_reviews", *RATINGS.values())


def counted(review: Review | None) -> Counter[str]:
    """The contribution of one review to its package's counters: zero unless it is approved."""
    if review is None or not review.approved:
        return Counter()
    return Counter({RATINGS[int(review.rating)]: 1, "score_reviews": _POINTS * (int(review.rating) - 3)})


def move(parts: Parts, writes: Transaction, before: Counter[str], after: Counter[str]) -> None:
    """Replace a review's contribution `before` its change by the one `after`, in the parts and the transaction."""
    steps = {name: after[name] - before[name] for name in _NAMES if after[name] != before[name]}
    if not steps:
        return
    for name, step in steps.items():
        setattr(parts.counters, name, getattr(parts.counters, name) + step)
    actions = [getattr(Counters, name).add(step) for name, step in steps.items()]
    writes.update(parts.counters, [Counters.kind.set(Counters), *actions])


def recount(package: Package) -> None:
    """Set a package's counters to the sums of its reviews."""

    def decide(parts: Parts, writes: Transaction, snapshot: ContentDbSnapshot) -> None:
        sums = _sums(int(package.id))
        writes.update(parts.counters, parts.counters.assign(kind=Counters, **{name: sums[name] for name in _NAMES}))

    index.publish(package.author, package.name, decide)


def inconsistencies() -> Iterator[Inconsistency]:
    """The packages whose counters differ from the sums of their reviews; each difference is checked twice."""
    sums: dict[int, Counter[str]] = {}
    stored: dict[int, Counters] = {}
    packages: dict[int, Package] = {}
    for item in ContentDbItem.scan(consistent_read=True):
        if isinstance(item, Review):
            sums.setdefault(int(item.package_id), Counter()).update(counted(item))
        elif isinstance(item, Counters):
            stored[int(item.pk.partition("#")[2])] = item
        elif isinstance(item, Package):
            packages[int(item.id)] = item
    for number, package in packages.items():
        counters = stored.get(number) or Counters(package.pk, "counters")
        if _differ(counters, sums.get(number, Counter())) and _differ(_read(number), _sums(number)):
            message = "has counters of reviews that differ from its reviews"
            yield Inconsistency("miscounted-reviews", package.key, message, partial(recount, package))


def _sums(package_id: int) -> Counter[str]:
    """The sums of a package's reviews."""
    sums: Counter[str] = Counter()
    for review in ContentDbItem.query(reviews_pk(package_id), consistent_read=True):
        sums.update(counted(review if isinstance(review, Review) else None))
    return sums


def _read(package_id: int) -> Counters:
    pk = package_pk(package_id)
    return Counters.find(pk, "counters") or Counters(pk, "counters")


def _differ(counters: Counters, sums: Counter[str]) -> bool:
    return any(getattr(counters, name) != sums[name] for name in _NAMES)
