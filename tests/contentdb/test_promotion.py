"""New members become members some days after a package or a review of theirs was approved."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from chalicelib import settings
from chalicelib.contentdb.moderation import promotion
from chalicelib.core import jobs
from chalicelib.core.identity import accounts
from chalicelib.core.notifications import inbox
from chalicelib.core.tables import Account
from tests.client import Client
from tests.contentdb.builders import draft, member, published, token
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def newcomers(client: Client, alice: Account) -> None:
    """Four new members: with an approved package, an approved review, a draft, and nothing."""
    for name in ("packager", "reviewer", "drafter", "idler"):
        member(name, "NEW_MEMBER")
    with time_machine.travel(MOMENT, tick=False):
        published("packager/walls")
        published("Alice/doors")
        draft("drafter/lamps")
        body = {"title": "Good doors", "comment": "They open well.", "rating": 5}
        headers = token(accounts.named("reviewer"))
        assert client.request("PUT", "/api/packages/Alice/doors/reviews/", json=body, headers=headers).status == 200


def promoted(after: timedelta) -> list[str]:
    """Run the job some time later; return those of the newcomers who are members then."""
    with time_machine.travel(MOMENT + after, tick=False):
        promotion.promote()
    names = ("packager", "reviewer", "drafter", "idler")
    return [name for name in names if accounts.named(name).rank == "MEMBER"]


@both_worlds
@pytest.mark.usefixtures("newcomers")
def test_a_new_member_with_an_approved_work_is_a_member_after_a_week() -> None:
    assert promoted(timedelta(days=6, hours=23)) == []
    assert promoted(timedelta(days=7, seconds=1)) == ["packager", "reviewer"]
    assert promoted(timedelta(days=8)) == ["packager", "reviewer"]
    with time_machine.travel(MOMENT + timedelta(days=9), tick=False):
        notices = inbox.entries(accounts.named("packager"))
    told = [one.subject for one in notices if one.about == "contentdb.promotion"]
    assert told == ["You are a member of ContentDB now"]


@pytest.mark.usefixtures("newcomers")
def test_the_days_are_a_setting_and_zero_promotes_nobody() -> None:
    with settings.override(contentdb_promotion_days=0):
        assert promoted(timedelta(days=400)) == []
    with settings.override(contentdb_promotion_days=2):
        assert promoted(timedelta(days=2, seconds=1)) == ["packager", "reviewer"]


@pytest.mark.usefixtures("newcomers")
def test_suspended_accounts_are_not_promoted() -> None:
    accounts.suspend(accounts.named("packager"))
    assert promoted(timedelta(days=8)) == ["reviewer"]


@pytest.mark.usefixtures("newcomers")
def test_the_job_continues_where_its_time_ended() -> None:
    with time_machine.travel(MOMENT + timedelta(days=8), tick=False), jobs.running(None, 0.0):
        with pytest.raises(jobs.Reschedule) as stopped:
            promotion.promote({"after": 0})
        assert stopped.value.payload["after"] > 0
        promotion.promote(stopped.value.payload)
    assert promoted(timedelta(days=8)) == ["packager", "reviewer"]
