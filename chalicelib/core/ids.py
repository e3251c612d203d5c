"""Public ids: JSON integers from atomic counters. Gaps are possible."""

from chalicelib.core.tables import Counter


def reserve(name: str, count: int = 1) -> int:
    """Reserve `count` consecutive ids of the sequence `name`; return the first. Ids start at 1."""
    counter = Counter(f"counter#{name}", "counter")
    counter.update(actions=[Counter.kind.set(Counter), Counter.value.add(count)])
    return int(counter.value) - count + 1
