"""All routes with their requirements, one per line: `python -m tests.web.route_table > tests/web/routes.txt`."""

from app import SLICES
from chalicelib.web.route import Route
from chalicelib.web.slice import Slice

HEADER = (
    "method",
    "path",
    "body",
    "credential",
    "scope",
    "permission",
    "second factor",
    "writes",
    "page",
    "slow",
    "bulk",
    "event",
)


def table() -> str:
    """Return the lines, sorted by service and path; sizes are those of the default settings."""
    return "\n".join("\n".join(_of(each)) + "\n" for each in SLICES if isinstance(each, Slice))


def _of(each: Slice) -> list[str]:
    routes = sorted(each.service.routes, key=lambda route: (route.path, route.method))
    rows = [HEADER, *map(_row, routes)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [f"# {each.name}", *(_line(row, widths) for row in rows)]


def _row(route: Route) -> tuple[str, ...]:
    return (
        route.method,
        route.path,
        f"{route.largest // 1024} KB",
        route.credential.name,
        route.scope or "-",
        route.permission.name if route.permission else "-",
        route.second_factor.name if route.second_factor else "-",
        "writes" if route.writes else "-",
        "page" if route.page else "-",
        "slow" if route.slow else "-",
        f"{route.most_items}, {route.bulk.seconds:g} s" if route.bulk else "-",
        str(route.event or "-"),
    )


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


if __name__ == "__main__":
    print(table(), end="")
