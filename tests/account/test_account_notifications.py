"""Notifications in the account API: the inbox, its settings, and its feed."""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.notifications import preferences
from chalicelib.core.notifications.posting import notify
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from tests.account.person import LogIn, Person, nothing_stored, refused
from tests.client import Client
from tests.worlds import both_worlds

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"
ESSENTIAL = [
    ("account.password", "Your password is changed"),
    ("account.email", "Your e-mail address is changed"),
    ("account.two-factor", "Your second factor is changed"),
]
OTHERS = [
    ("session.new-device", "Your account logs in from a new device", "mail"),
    ("key.created", "A key is created for your account", "mail"),
    ("work.published", "Someone else publishes something of yours", "inbox"),
    ("work.changed", "Someone else changes, archives or restores something of yours", "inbox"),
    ("work.removed", "Someone else transfers or deletes something of yours", "mail"),
    ("mail.refused", "Mail to your address is refused", "inbox"),
    ("webhook.disabled", "A webhook of yours is disabled, because its receiver fails", "inbox"),
    ("contentdb.approval", "A Luanti package of yours is approved, or needs changes", "mail"),
    ("contentdb.comment", "Someone comments on an approval or a review that concerns you", "mail"),
    ("contentdb.refusal", "A review or screenshot of yours is refused", "mail"),
    ("contentdb.report", "A report of yours is closed", "mail"),
    ("contentdb.promotion", "You become a member of ContentDB", "inbox"),
    ("package.update", "The repository of a package has a new version", "inbox"),
    ("luadns.build", "A build of your zones is finished", "mail"),
]


def post(account: Account, subject: str, text: str = "", link: str | None = "/account/keys") -> None:
    writes = Transaction()
    notify(writes, account, "key.created", subject, link, text=text)
    writes.commit()


def inbox_of(person: Person) -> list[str]:
    return [one["subject"] for one in person.get("/notifications").json["notifications"]]


def settings_with(**channels: str) -> dict[str, Any]:
    """The settings of an account with some channels, names with `_` for a dot."""
    chosen = {name.replace("_", "."): channel for name, channel in channels.items()}
    kinds = [(name, title, "mail", True) for name, title in ESSENTIAL]
    kinds += [(name, title, chosen.get(name, default), False) for name, title, default in OTHERS]
    names = ("kind", "title", "channel", "essential")
    return {
        "sends_mail": False,
        "email_confirmed": False,
        "daily_digest": False,
        "kinds": [dict(zip(names, kind, strict=True)) for kind in kinds],
    }


@both_worlds
def test_the_inbox_has_the_newest_first(alice_client: Person, alice: Account) -> None:
    with time_machine.travel(MOMENT, tick=False) as clock:
        post(alice, "First.", "One\nTwo")
        clock.shift(1)
        post(alice, "Second.", link=None)
        reply = alice_client.get("/notifications")
    second, first = reply.json["notifications"]
    assert reply.json == {
        "notifications": [
            {
                "id": second["id"],
                "at": "2026-03-01T12:00:01Z",
                "kind": "key.created",
                "subject": "Second.",
                "text": None,
                "link": None,
                "read": False,
            },
            {
                "id": first["id"],
                "at": "2026-03-01T12:00:00Z",
                "kind": "key.created",
                "subject": "First.",
                "text": "One\nTwo",
                "link": "/account/keys",
                "read": False,
            },
        ],
        "unread": 2,
        "next": None,
    }
    assert first["id"].startswith("20260301T120000000000-")


def test_the_inbox_has_pages(alice_client: Person, alice: Account, calls: list[str]) -> None:
    for number in range(3):
        post(alice, f"{number}")
    calls.clear()
    first = alice_client.get("/notifications", query={"limit": 2}).json
    assert calls == ["UpdateItem", "GetItem", "Query", "GetItem", "Query"]
    second = alice_client.get("/notifications", query={"limit": 2, "before": first["next"]}).json
    found = [one["subject"] for page in (first, second) for one in page["notifications"]]
    assert (found, second["next"], second["unread"]) == (["2", "1", "0"], None, 3)


@pytest.mark.parametrize("before", ["x", "20260301", "a" * 2000, "20260301T120000000000-AABBCCDD"])
def test_a_bad_cursor_is_an_error(alice_client: Person, before: str) -> None:
    reply = alice_client.get("/notifications", query={"before": before})
    refused(reply, 400, "before is not a cursor of this list.", "before")


def test_notifications_are_marked_as_read(alice_client: Person, alice: Account) -> None:
    for number in range(3):
        post(alice, f"{number}")
    newest = alice_client.get("/notifications").json["notifications"][0]["id"]
    assert alice_client.post("/notifications/read", {"id": newest}).status == 204
    found = alice_client.get("/notifications").json
    assert ([one["read"] for one in found["notifications"]], found["unread"]) == ([True, False, False], 2)
    assert alice_client.post("/notifications/read", {}).status == 204
    found = alice_client.get("/notifications").json
    assert ([one["read"] for one in found["notifications"]], found["unread"]) == ([True, True, True], 0)


def test_a_notification_is_deleted(alice_client: Person, alice: Account) -> None:
    post(alice, "First.")
    number = alice_client.get("/notifications").json["notifications"][0]["id"]
    assert alice_client.delete(f"/notifications/{number}").status == 204
    assert inbox_of(alice_client) == []
    refused(alice_client.delete(f"/notifications/{number}"), 404, "There is no such notification.")
    refused(alice_client.post("/notifications/read", {"id": number}), 404, "There is no such notification.")


def test_notifications_of_others_are_out_of_reach(
    alice_client: Person, logged_in: LogIn, alice: Account, bob: Account
) -> None:
    post(bob, "For Bob.")
    number = logged_in(bob).get("/notifications").json["notifications"][0]["id"]
    alice_client.get("/me")
    with nothing_stored():
        refused(alice_client.delete(f"/notifications/{number}"), 404, "There is no such notification.")
        refused(alice_client.post("/notifications/read", {"id": number}), 404, "There is no such notification.")


def test_the_settings_have_all_kinds(alice_client: Person) -> None:
    assert alice_client.get("/notifications/settings").json == settings_with()


def test_a_channel_and_the_digest_are_set(alice_client: Person, alice: Account) -> None:
    reply = alice_client.patch("/notifications/settings", {"kind": "key.created", "channel": "off"})
    assert (reply.status, reply.json) == (200, settings_with(key_created="off"))
    reply = alice_client.patch("/notifications/settings", {"daily_digest": True})
    assert reply.json == {**settings_with(key_created="off"), "daily_digest": True}
    assert accounts.get(int(alice.id)).channels == {"key.created": "off"}


@pytest.mark.parametrize(
    ("changes", "status", "message", "field"),
    [
        ({"kind": "x", "channel": "inbox"}, 400, "There is no such kind of notifications.", "kind"),
        ({"kind": "key.created", "channel": "x"}, 400, "channel must be one of: off, inbox, mail.", "channel"),
        ({"kind": "key.created"}, 400, "Send kind and channel together.", "channel"),
        ({"channel": "inbox"}, 400, "Send kind and channel together.", "kind"),
        ({"daily_digest": "yes"}, 400, "daily_digest must be a JSON boolean.", "daily_digest"),
        ({"kind": "account.password", "channel": "inbox"}, 409,
         "Notifications about the security of an account cannot be turned off.", "kind"),
    ],
)  # fmt: skip
def test_rejected_settings_change_nothing(
    alice_client: Person, changes: dict[str, Any], status: int, message: str, field: str
) -> None:
    alice_client.get("/me")
    with nothing_stored():
        refused(alice_client.patch("/notifications/settings", changes), status, message, field)


def test_the_settings_say_whether_mail_reaches_the_account(alice_client: Person, alice: Account) -> None:
    alice.update(actions=alice.assign(confirmed_email=alice.email))
    with settings.override(smtp_url="smtp://127.0.0.1", mail_from="moonbase@example.org"):
        found = alice_client.get("/notifications/settings").json
    assert (found["sends_mail"], found["email_confirmed"]) == (True, True)
    assert alice_client.get("/me").json["email_confirmed"] is True


def feed_of(person: Person) -> str:
    url = person.post("/notifications/feed").json["url"]
    assert url.startswith("http://moonbase.test/account/feed/")
    return str(url).removeprefix("http://moonbase.test")


def test_the_feed_has_the_newest_notifications(alice_client: Person, client: Client, alice: Account) -> None:
    preferences.choose(alice, {"key.created": "inbox"})
    path = feed_of(alice_client)
    with time_machine.travel(MOMENT, tick=False):
        post(alice, "A <b> & c.", "Details\x0b")
        reply = client.get(path)
        number = alice_client.get("/notifications").json["notifications"][0]["id"]
    assert reply.status == 200
    assert reply.header("content-type") == "application/atom+xml; charset=utf-8"
    assert reply.header("cache-control") == "private, no-cache"
    assert reply.body.decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:moonbase:inbox:1</id>'
        "<title>Notifications of Alice</title><updated>2026-03-01T12:00:00Z</updated>"
        '<link rel="alternate" href="http://moonbase.test/account/notifications" />'
        "<author><name>Moonbase</name></author>"
        f"<entry><id>urn:moonbase:inbox:1:{number}</id><title>A &lt;b&gt; &amp; c.</title>"
        "<updated>2026-03-01T12:00:00Z</updated>"
        '<link rel="alternate" href="http://moonbase.test/account/keys" /><content>Details</content></entry></feed>'
    )


def test_an_unchanged_feed_is_not_sent_again(alice_client: Person, client: Client) -> None:
    path = feed_of(alice_client)
    etag = str(client.get(path).header("etag"))
    assert client.get(path, headers={"If-None-Match": etag}).status == 304


def test_an_empty_feed_is_valid(alice_client: Person, client: Client) -> None:
    found = ElementTree.fromstring(client.get(feed_of(alice_client)).body)
    assert [each.tag.removeprefix(ATOM) for each in found] == ["id", "title", "updated", "link", "author"]


def test_a_new_address_of_the_feed_replaces_the_former(alice_client: Person, client: Client, alice: Account) -> None:
    first = feed_of(alice_client)
    second = feed_of(alice_client)
    assert (client.get(first).status, client.get(second).status) == (404, 200)
    stored = [str(item.to_dynamodb_dict()) for item in credentials.list_credentials(alice)]
    assert [text for text in stored if second.rpartition("/")[2] in text] == []
    assert alice_client.delete("/notifications/feed").status == 204
    refused(client.get(second), 404, "There is no such feed.")


def test_the_feed_of_a_suspended_account_is_not_found(alice_client: Person, client: Client, alice: Account) -> None:
    path = feed_of(alice_client)
    accounts.suspend(alice)
    refused(client.get(path), 404, "There is no such feed.")


def test_a_feed_is_no_key(alice_client: Person, client: Client) -> None:
    secret = feed_of(alice_client).rpartition("/")[2]
    assert client.get(f"/api/1/{secret}/status").status == 401
    assert [key["service"] for key in alice_client.get("/keys").json["keys"]] == []
    refused(client.get(f"/account/feed/{secret[:-1]}x"), 404, "There is no such feed.")
