"""A week of a community: ten authors and two approvers, from drafts to an update, a refusal, a review and mails."""

from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from chalicelib.core import job_runner
from chalicelib.core.identity import accounts
from chalicelib.core.tables import Account
from tests import smtp
from tests.client import Client, Reply
from tests.contentdb.builders import names, token
from tests.contentdb.files import picture, upload, zipped
from tests.smtp import Sink

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
AUTHORS = [f"author{number}" for number in range(10)]
LICENCE = "MIT\n"


class Community:
    """The accounts of a community, and requests with their tokens."""

    def __init__(self, client: Client) -> None:
        self.client = client
        ranks = {**dict.fromkeys(AUTHORS, "NEW_MEMBER"), "ann": "APPROVER", "abe": "APPROVER"}
        self.accounts = {name: self._join(name, rank) for name, rank in ranks.items()}
        self.tokens = {name: token(account) for name, account in self.accounts.items()}

    def __call__(self, who: str, method: str, path: str, **more: Any) -> Any:
        """Send a request that must succeed; return its JSON."""
        reply: Reply = self.client.request(method, path, headers=self.tokens[who], **more)
        assert reply.status == 200, (method, path, reply.body)
        return reply.json

    def release(self, author: str, title: str, script: str = "-- nothing yet\n") -> None:
        """Upload a release of an author's package, and let its check run."""
        name = f"mod_{author}"
        files = {"init.lua": script, "mod.conf": f"name = {name}\nsupported_games = *\n", "LICENSE.txt": LICENCE}
        reply = upload(self.client, f"{author}/{name}", self.tokens[author], zipped(files), title=title)
        assert reply.status == 200, reply.body
        run_jobs()

    def submit(self, author: str) -> None:
        """Create a package with a release and a screenshot, and submit it."""
        path = package(author)
        fields = {"type": "MOD", "title": author.title(), "license": "MIT", "short_description": "A mod."}
        self(author, "POST", path, json=fields)
        self(author, "PUT", path, json={"ai_disclosure": "NONE"})
        self.release(author, "1.0")
        shot = {"file": ("view.png", picture(size=(64, 64)))}
        self(author, "POST", f"{path}screenshots/new/", form={"title": "A view"}, files=shot)
        self(author, "POST", f"{path}submit/")

    def queue(self) -> list[tuple[str, str]]:
        """The types and packages of what waits, oldest first."""
        return [(one["type"], one["package"]) for one in self("ann", "GET", "/api/queue/")]

    @staticmethod
    def _join(name: str, rank: str) -> Account:
        return accounts.create(name, f"{name}@example.org", rank=rank, confirmed=True)


def package(author: str) -> str:
    return f"/api/packages/{author}/mod_{author}/"


def run_jobs() -> None:
    while job_runner.run_due():
        pass


def mails(sink: Sink, name: str) -> list[str]:
    """The subjects of the mails that an account has got about moderation."""
    run_jobs()
    subjects = [mail.message["Subject"] for mail in sink.mails if mail.recipients == [f"{name}@example.org"]]
    return [subject for subject in subjects if "mod_" in subject]


def test_a_week_of_a_community(client: Client) -> None:
    with smtp.receiving() as sink, time_machine.travel(MONDAY) as clock:
        community = Community(client)

        # Monday: everybody submits a mod.
        for author in AUTHORS:
            community.submit(author)
            clock.shift(timedelta(minutes=10))
        waiting = [("package", f"{author}/mod_{author}") for author in AUTHORS]
        assert community.queue() == waiting
        assert client.get("/api/packages/").json == []

        # Tuesday: two approvers share the queue. One mod is refused, one needs changes.
        clock.shift(timedelta(days=1))
        for number, author in enumerate(AUTHORS[:8]):
            community(("ann", "abe")[number % 2], "POST", f"{package(author)}approve/")
        reason = {"reason": "This is **not** your work."}
        community("ann", "POST", f"{package(AUTHORS[8])}unapprove/", json=reason)
        community("abe", "POST", f"{package(AUTHORS[9])}request-changes/", json={"reason": "Please describe it."})
        assert community.queue() == []
        assert sorted(names(client.get("/api/packages/"))) == [f"mod_{author}" for author in AUTHORS[:8]]
        assert mails(sink, AUTHORS[0]) == ["ann approved author0/mod_author0"]
        assert mails(sink, AUTHORS[8]) == ["ann made a draft of author8/mod_author8"]
        assert [mail.recipients for mail in sink.mails if "This is **not** your work." in mail.text] == [
            ["author8@example.org"]
        ]

        # Wednesday: the author answers and submits again; the approver sees what changed.
        clock.shift(timedelta(days=1))
        path = package(AUTHORS[9])
        community(AUTHORS[9], "POST", f"{path}comments/", json={"comment": "Done, thanks."})
        community(AUTHORS[9], "PUT", path, json={"short_description": "Lamps that glow."})
        community(AUTHORS[9], "POST", f"{path}submit/")
        assert mails(sink, "abe") == ["author9 commented on the approval of author9/mod_author9"]
        changed = community("abe", "GET", "/api/queue/")[0]["changed"]
        assert changed == {"short_description": ["A mod.", "Lamps that glow."]}
        community("abe", "POST", f"{path}approve/")
        said = community(AUTHORS[9], "GET", f"{path}comments/")["comments"]
        assert [(one["author"], one["step"]) for one in said] == [("abe", "request-changes"), (AUTHORS[9], None)]

        # Thursday: an update goes live without a moderator.
        clock.shift(timedelta(days=1))
        community.release(AUTHORS[0], "1.1", "-- better\n")
        newest = client.get(f"{package(AUTHORS[0])}releases/").json[0]
        assert (newest["title"], newest["state"], community.queue()) == ("1.1", "APPROVED", [])

        # Friday: a new member's review with a link waits, is approved, and gets an answer.
        clock.shift(timedelta(days=1))
        review = {"title": "Bright lamps", "comment": "See https://example.org/lamps", "rating": 5}
        written = community(AUTHORS[1], "PUT", f"{package(AUTHORS[0])}reviews/", json=review)
        assert (written["approved"], community.queue()) == (False, [("review", "author0/mod_author0")])
        place = f"{package(AUTHORS[0])}reviews/{written['review']['thread']['id']}/"
        community("ann", "POST", f"{place}approve/")
        community(AUTHORS[0], "POST", f"{place}comments/", json={"comment": "Thank you!"})
        assert [one["title"] for one in client.get(f"{package(AUTHORS[0])}reviews/").json] == ["Bright lamps"]
        assert mails(sink, AUTHORS[1])[1:] == ["author0 commented on a review of author0/mod_author0"]

        # A week after the approvals, their authors are members.
        clock.shift(timedelta(days=6))
        job_runner.run_now("contentdb-promote-members")
        found = [accounts.named(author).rank for author in AUTHORS]
        assert found == ["MEMBER"] * 8 + ["NEW_MEMBER", "MEMBER"]
