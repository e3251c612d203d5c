"""Fixtures of the tests of pages: headless Chromium, a server, and browser windows, real and simulated."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from chalicelib.core.tables import Account
from tests import people
from tests.client import Client
from tests.pages.window import PASSWORD, BrowserWindow
from tests.servers import Server, serving

CHROMIUM = "/usr/bin/chromium"
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with open registration."""
    data = tmp_path_factory.mktemp("pages") / "data"
    with serving(data, environment={"MOONBASE_REGISTRATION": "open"}) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new window without cookies. Pages must not cause errors or warnings, such as violations of their policy."""
    context = browser.new_context()
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def window(client: Client) -> BrowserWindow:
    """A simulated browser window without a session."""
    return BrowserWindow(client)


@pytest.fixture
def alice_window(window: BrowserWindow, alice: Account) -> BrowserWindow:
    """The window, with Alice logged in."""
    window.enter(alice)
    return window


@pytest.fixture
def admin_window(window: BrowserWindow) -> BrowserWindow:
    """The window, with an administrator logged in."""
    window.enter(people.register("Root", "root@example.org", PASSWORD, rank="ADMIN"))
    return window


def is_complaint(message: ConsoleMessage) -> bool:
    """Whether a message of the browser is an error or a warning, other than about the page's status."""
    return message.type in ("error", "warning") and "the server responded with a status of" not in message.text
