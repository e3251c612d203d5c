"""Builders of packages, releases, screenshots, accounts and tokens; the error bodies that many tests compare."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.contentdb.packages import registry, states
from chalicelib.contentdb.store import index, popularity
from chalicelib.contentdb.store.parts import Parts
from chalicelib.contentdb.store.tables import Package, Release, Screenshot, release_sk, screenshot_sk
from chalicelib.core import ids
from chalicelib.core.catalogues.snapshots import Snapshot
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.client import Reply

NO_SUCH_PAGE = {
    "success": False,
    "code": 404,
    "name": "Not Found",
    "description": "The requested URL was not found on the server. "
    "If you entered the URL manually please check your spelling and try again.",
}

VERSIONS = {"5.0": 1, "5.3": 4, "5.5": 6, "5.8": 9, "5.17": 18}


def malformed(reason: str) -> dict[str, Any]:
    """Return the body of the error for a malformed request, which has a reason."""
    description = f"The browser (or proxy) sent a request that this server could not understand. {reason}"
    return {"success": False, "code": 400, "name": "Bad Request", "description": description}


NOT_JSON = malformed("The body must be JSON.")


def refusal(error: str) -> dict[str, Any]:
    """Return the body of an error that an API rule raises."""
    return {"success": False, "error": error}


def draft(key: str, **fields: Any) -> Package:
    """Create a draft; the author must have an account."""
    author, name = key.split("/")
    data = {"type": "MOD", "title": name.title(), "license": "MIT", "short_description": f"About {name}.", **fields}
    return registry.create(author, name, data)


def change(key: str, **attributes: Any) -> None:
    """Set attributes of a stored package, among others those that no request can set."""
    author, name = key.split("/")

    def decide(parts: Parts, writes: Transaction, snapshot: Snapshot) -> None:
        writes.update(parts.package, parts.package.assign(**attributes))

    index.publish(author, name, decide)


def count(key: str, **counters: Any) -> None:
    """Set a package's counters, with its points as of today, and publish them."""
    author, name = key.split("/")

    def decide(parts: Parts, writes: Transaction, snapshot: Snapshot) -> None:
        parts.counters.assign(decayed_on=popularity.today().isoformat(), **counters)
        writes.put(parts.counters)

    parts, _ = index.publish(author, name, decide)
    popularity.counters.publish_things([str(int(parts.package.id))])


def release(key: str, lowest: str | None = None, highest: str | None = None, state: str = "APPROVED") -> int:
    """Add a release for a range of engine versions to a package; return its id."""
    author, name = key.split("/")
    number = ids.reserve("contentdb-release")

    def decide(parts: Parts, writes: Transaction, snapshot: Snapshot) -> None:
        made = Release(
            parts.package.pk,
            release_sk(number),
            id=number,
            package_id=parts.package.id,
            name=f"1.{number}",
            title=f"1.{number}",
            state=state,
            size=2000,
            min_version=VERSIONS[lowest] if lowest else None,
            max_version=VERSIONS[highest] if highest else None,
            created_at=datetime.now(UTC),
        )
        parts.releases[number] = made
        writes.create(made)

    index.publish(author, name, decide)
    return number


def screenshot(key: str, file: str = "0123456789.jpg", *, approved: bool = True) -> int:
    """Add a screenshot to a package; return its id."""
    author, name = key.split("/")
    number = ids.reserve("contentdb-screenshot")

    def decide(parts: Parts, writes: Transaction, snapshot: Snapshot) -> None:
        made = Screenshot(
            parts.package.pk,
            screenshot_sk(number),
            id=number,
            package_id=parts.package.id,
            order=number,
            title="A view",
            file=file,
            blob="none",
            width=1280,
            height=720,
            approved=approved,
            created_at=datetime.now(UTC),
        )
        parts.screenshots[number] = made
        writes.create(made)

    index.publish(author, name, decide)
    return number


def published(key: str, **fields: Any) -> int:
    """Create an approved package with one release; return the id of the release."""
    draft(key, **fields)
    number = release(key)
    states.apply("approve", *key.split("/"))
    return number


def token(account: Account, **more: Any) -> dict[str, str]:
    """Create a token; return the header that sends it."""
    return {"Authorization": "Bearer " + credentials.create(account, "contentdb", **more)[1]}


def member(name: str, rank: str = "MEMBER") -> Account:
    """Create an account with a rank."""
    return accounts.create(name, f"{name}@example.org", rank=rank)


def names(reply: Reply) -> list[str]:
    """Return the names of a list of packages, in its order."""
    assert reply.status == 200, reply.body
    return [package["name"] for package in reply.json]
