"""The pages of notifications, and behind the links in mails, in a browser with a server that sends mail."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.pages.looks import look
from tests.pages.visitor import log_in, make_key, new_name, register
from tests.servers import Server, serving
from tests.smtp import SENDER, Received, Sink, listening

URL = "https://moonbase.test"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with listening() as running:
        yield running


@pytest.fixture(scope="module")
def server(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with open registration that sends mail."""
    environment = {
        "MOONBASE_REGISTRATION": "open",
        "MOONBASE_SMTP_URL": sink.url,
        "MOONBASE_MAIL_FROM": SENDER,
        "MOONBASE_MAIL_BASE_URL": URL,
    }
    with serving(tmp_path_factory.mktemp("mail") / "data", environment=environment) as running:
        yield running


def mail_to(sink: Sink, name: str, subject: str) -> Received:
    """Wait for a mail."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for mail in sink.mails:
            if mail.recipients == [f"{name}@example.org"] and mail.message["Subject"] == subject:
                return mail
        time.sleep(0.1)
    raise AssertionError(f"no mail to {name}: {subject}")


def follow(page: Page, server: Server, mail: Received, path: str) -> None:
    """Open the link of a mail at this server."""
    page.goto(f"{server.url}{path}{mail.link(path)}")


def test_an_address_is_confirmed_and_a_forgotten_password_replaced(page: Page, server: Server, sink: Sink) -> None:
    name = new_name()
    register(page, server, name)
    page.goto(f"{server.url}/account/forgotten-password")
    look(page, "forgotten-password")
    mail = mail_to(sink, name, "Confirm your address")
    log_in(page, server, name)
    page.goto(f"{server.url}/account/password")
    look(page, "password-unconfirmed")
    follow(page, server, mail, "/account/confirm/")
    look(page, "confirm-address")
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_role("status")).to_have_text("Your e-mail address is confirmed.")
    page.goto(f"{server.url}/account/password")
    expect(page.get_by_text("Your address is confirmed.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Username or e-mail address").fill(name)
    page.get_by_role("button", name="Send the link").click()
    look(page, "link-sent")
    follow(page, server, mail_to(sink, name, "A new password"), "/account/new-password/")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_have_text("A password has at least 8 characters.")
    look(page, "new-password")
    page.get_by_label("New password").fill("a longer walk on the moon")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("status")).to_have_text("Your password is changed: log in with it.")
    log_in(page, server, name, "a longer walk on the moon")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    mail_to(sink, name, "Your password was changed.")


def test_notifications_are_read_chosen_and_stopped(page: Page, server: Server, sink: Sink) -> None:
    name = new_name()
    register(page, server, name)
    follow(page, server, mail_to(sink, name, "Confirm your address"), "/account/confirm/")
    page.get_by_role("button", name="Confirm the address").click()
    log_in(page, server, name)
    page.goto(f"{server.url}/account/notifications")
    look(page, "notifications-empty")
    make_key(page, server)
    mail = mail_to(sink, name, "A key for LuaRocks was created for your account.")
    page.goto(f"{server.url}/account/notifications")
    expect(page.get_by_text("1 unread")).to_be_visible()
    look(page, "notifications")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.get_by_text("Everything is read.")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Delete")).click()
    expect(page.get_by_role("status")).to_have_text("The notification is deleted.")

    page.get_by_role("link", name="Settings").click()
    look(page, "notification-settings")
    page.get_by_label("Send one mail a day").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The settings are saved.")
    expect(page.get_by_label("Send one mail a day")).to_be_checked()
    page.get_by_role("button", name="Create a new address").click()
    look(page, "feed-created")
    answer = page.request.get(page.locator("#feed").inner_text())
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"

    follow(page, server, mail, "/account/unsubscribe/")
    look(page, "unsubscribe")
    page.get_by_role("button", name="Stop them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No more mails")
    look(page, "unsubscribed")
    page.goto(f"{server.url}/account/notifications/settings")
    expect(page.get_by_label("A key is created for your account")).to_have_value("inbox")
    follow(page, server, mail, "/account/unsubscribe/")
    page.goto(page.url[:-1])
    look(page, "unsubscribe-invalid")
