"""The account's pages in a browser: from registration to an upload with a second factor, and their accessibility."""

import requests
from playwright.sync_api import Browser, Page, expect

from tests.luarocks.builders import rockspec
from tests.pages import visitor
from tests.pages.looks import look
from tests.servers import Server, moonbase


def upload(server: Server, key: str, token: str = "") -> requests.Response:
    """Publish a rockspec, with a token of the second factor."""
    return requests.post(
        f"{server.url}/api/1/{key}/upload",
        files={"rockspec_file": ("say-1.0-1.rockspec", rockspec("say", "1.0-1"))},
        headers={"X-TFA-Token": token} if token else {},
        timeout=30,
    )


def walk(server: Server, page: Page) -> None:
    """Register, log in, create a key, upload, turn two-factor on, upload with it, log in with it."""
    name = visitor.enter(page, server)
    key = visitor.make_key(page, server)
    assert upload(server, key).json()["module_url"] == f"{server.url}/modules/{name}/say"

    secret, recovery_codes = visitor.set_up_two_factor(page, server, for_uploads=True)
    refused = upload(server, key)
    assert (refused.status_code, refused.json()["two_factor_required"]) == (403, True)
    verified = requests.post(f"{server.url}/api/1/{key}/verify_tfa", data={"code": visitor.code(secret)}, timeout=30)
    assert upload(server, key, verified.json()["tfa_token"]).status_code == 200

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    visitor.log_in(page, server, name)
    page.get_by_label("Code").fill(recovery_codes[0])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_from_registration_to_an_upload_with_a_second_factor(server: Server, page: Page) -> None:
    walk(server, page)


def test_the_same_without_javascript(server: Server, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    walk(server, context.new_page())
    context.close()


def test_log_in_works_by_keyboard_alone(server: Server, page: Page) -> None:
    name = visitor.new_name()
    visitor.register(page, server, name)
    page.goto(f"{server.url}/account/log-in")
    for text in (name, visitor.PASSWORD):
        to_the_next_field(page)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def to_the_next_field(page: Page) -> None:
    """Press Tab until an input field has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('input')"):
            return
    raise AssertionError("the Tab key reaches no field")


def test_an_error_is_next_to_its_field_which_has_the_focus(server: Server, page: Page) -> None:
    name = visitor.enter(page, server)
    page.goto(f"{server.url}/account/password")
    email = page.get_by_label("E-mail address")
    email.fill("no-address <b>@</b>")
    email.evaluate("field => field.form.noValidate = true")
    page.get_by_label("Password", exact=True).fill(visitor.PASSWORD)
    page.get_by_role("button", name="Change the address").click()
    expect(email).to_be_focused()
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description("This is not an e-mail address.")
    expect(email).to_have_value("no-address <b>@</b>")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    expect(page).to_have_title("Error: Password and e-mail · Moonbase")
    look(page, "email-refused")
    page.goto(f"{server.url}/account")
    expect(page.get_by_role("main")).to_contain_text(f"{name}@example.org")


def test_log_in_returns_to_the_page_that_required_it(server: Server, page: Page) -> None:
    name = visitor.new_name()
    visitor.register(page, server, name)
    page.goto(f"{server.url}/settings/api-keys")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(visitor.PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys and tokens")


def test_an_open_window_lets_a_key_upload_without_a_code(server: Server, page: Page) -> None:
    visitor.enter(page, server)
    key = visitor.make_key(page, server)
    secret, _ = visitor.set_up_two_factor(page, server, for_uploads=True)
    page.goto(f"{server.url}/account/keys")
    page.get_by_text("Upload without a code for 15 minutes").click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Allow uploads").click()
    expect(page.get_by_label("Code")).to_be_focused()
    look(page, "window-refused")
    page.get_by_label("Code").fill(visitor.code(secret))
    page.get_by_role("button", name="Allow uploads").click()
    expect(page.get_by_role("status")).to_contain_text("for 15 minutes")
    assert upload(server, key).status_code == 200
    look(page, "window-open")
    page.get_by_role("button", name="Require a code again").click()
    assert upload(server, key).status_code == 403


def test_the_pages_without_a_session_are_accessible(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/account/register")
    look(page, "register")
    name = visitor.new_name()
    visitor.register(page, server, name)
    look(page, "registered")
    visitor.log_in(page, server, name, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password.")
    look(page, "log-in-refused")


def test_the_pages_of_a_member_are_accessible(server: Server, page: Page) -> None:
    name = visitor.enter(page, server)
    look(page, "overview")
    for service in ("Hel", "LuaDNS"):
        visitor.make_key(page, server, service)
    look(page, "key-made")
    page.goto(f"{server.url}/account/keys")
    page.get_by_role("button", name="Revoke key").last.click()
    page.get_by_text("Expired and revoked keys").click()
    look(page, "keys")
    page.get_by_label("Only one module").check()
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_label("Name of the module")).to_be_focused()
    look(page, "key-refused")
    elsewhere = {"username": name, "password": visitor.PASSWORD}
    assert requests.post(f"{server.url}/account/api/log-in", json=elsewhere, timeout=30).status_code == 200
    for path in ("password", "sessions", "activity"):
        page.goto(f"{server.url}/account/{path}")
        look(page, path)
    page.goto(f"{server.url}/account/nothing")
    look(page, "account-missing")


def test_the_pages_of_two_factor_are_accessible(server: Server, page: Page) -> None:
    name = visitor.enter(page, server)
    page.goto(f"{server.url}/account/two-factor")
    look(page, "two-factor-off")
    page.get_by_role("button", name="Set it up").click()
    secret = visitor.scan(page)
    look(page, "two-factor-confirm")
    page.get_by_label("Password").fill(visitor.PASSWORD)
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_label("Code", exact=True)).to_be_focused()
    assert visitor.scan(page) == secret
    look(page, "two-factor-refused")
    visitor.set_up_two_factor(page, server, for_uploads=False)
    look(page, "recovery-codes")
    page.get_by_role("link", name="I have stored them").click()
    for summary in ("Change this", "Create new codes", "Turn two-factor off"):
        page.locator("summary", has_text=summary).click()
    look(page, "two-factor-on")
    page.get_by_role("button", name="Log out").click()
    visitor.log_in(page, server, name)
    look(page, "log-in-code")


def test_the_pages_of_an_administrator_are_accessible(server: Server, page: Page) -> None:
    name = visitor.enter(page, server)
    moonbase(server.data, "user", "rank", name, "ADMIN")
    page.goto(f"{server.url}/account/people")
    look(page, "people")
    other = visitor.new_name()
    moonbase(server.data, "user", "create", other, "--email", f"{other}@example.org")
    page.get_by_label("Username").fill(other)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(other)
    look(page, "person")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("button", name="Restore")).to_be_visible()
    look(page, "person-suspended")
    page.get_by_role("link", name="Invitations").click()
    look(page, "no-invitations")
    page.get_by_label("Comment").fill("A friend")
    page.get_by_role("button", name="Create an invitation").click()
    look(page, "invitation-made")
    page.get_by_role("link", name="All invitations").click()
    look(page, "invitations")
