"""The actions of a visitor on the account's pages, in a browser."""

import io
import time
from itertools import count

import pyotp
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.servers import Server

PASSWORD = "a long walk on the moon"
_numbers = count(1)


def new_name() -> str:
    """An unused username."""
    return f"walker{next(_numbers)}"


def register(page: Page, server: Server, name: str) -> None:
    """Register an account, without logging in."""
    page.goto(f"{server.url}/account/register")
    page.get_by_label("Username").fill(name)
    page.get_by_label("E-mail address").fill(f"{name}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("status")).to_have_text("Your account has been created: log in.")


def log_in(page: Page, server: Server, name: str, password: str = PASSWORD) -> None:
    """Submit name and password."""
    page.goto(f"{server.url}/account/log-in")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def enter(page: Page, server: Server) -> str:
    """Register an account and log in; return its name."""
    name = new_name()
    register(page, server, name)
    log_in(page, server, name)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return name


def make_key(page: Page, server: Server, service: str = "LuaRocks") -> str:
    """Create a key without a scope; return it."""
    page.goto(f"{server.url}/account/keys")
    page.get_by_label("Service").select_option(service)
    page.get_by_label("Comment").fill("laptop")
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your new key")
    return page.locator("#key").inner_text()


def set_up_two_factor(page: Page, server: Server, *, for_uploads: bool) -> tuple[str, list[str]]:
    """Turn two-factor on with the QR code; return the secret and the recovery codes."""
    page.goto(f"{server.url}/account/two-factor")
    page.get_by_role("button", name="Set it up").click()
    secret = scan(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code", exact=True).fill(code(secret, back=1))
    page.get_by_label("Require it for uploads").set_checked(for_uploads)
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    return secret, page.locator(".codes li").all_inner_texts()


def scan(page: Page) -> str:
    """The secret in the page's QR code, decoded from its picture."""
    picture = page.get_by_role("img", name="QR code").locator("svg").screenshot()
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)).convert("L"))
    uri = pyotp.parse_uri(found.text)
    assert uri.issuer == "Moonbase"
    return str(uri.secret)


def code(secret: str, *, back: int = 0) -> str:
    """The code of an authenticator, `back` steps of 30 s ago. The server accepts old codes for a minute."""
    return pyotp.TOTP(secret).at(int(time.time()) - 30 * back)
