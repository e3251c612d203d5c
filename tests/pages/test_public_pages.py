"""The public pages, in a browser."""

import time

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.contentdb.files import MOD, picture, zipped
from tests.pages.looks import look
from tests.servers import Server, moonbase

DESCRIPTION = """\
# Lamps
They *shine*, see @alice/lamps. ![far](https://img.example.org/x.png)

| lamp | light | where it may stand |
|---|---|---|
| big | 14 | on_every_floor_that_is_made_of_stone_and_on_no_other |

```lua
core.register_node("lamps:big", {description = "A lamp", light_source = 14, tiles = {"lamps_big.png"}})
```
"""


@pytest.fixture(scope="module")
def works(server: Server) -> Server:
    """The server, with a module and a package of Alice's."""
    key = server.make_key("alice")
    for version in ("1.0-1", "1.1-1", "scm-1"):
        server.upload_rockspec(key, version)
    token = moonbase(server.data, "key", "create", "alice", "--service", "contentdb")["key"]
    package = f"{server.url}/api/packages/alice/lamps/"
    fields = {"type": "MOD", "title": "Lamps", "license": "MIT", "short_description": "All kinds of lamps."}
    posted = [
        post(package, token, json={**fields, "long_description": DESCRIPTION, "repo": "https://example.org/lamps.git"}),
        post(f"{package}screenshots/new/", token, data={"title": "A lamp"}, files={"file": ("a.png", picture())}),
    ]
    content = zipped({**MOD, "mod.conf": "name = lamps\noptional_depends = dye\n"})
    posted.append(
        post(f"{package}releases/new/", token, data={"title": "First light"}, files={"file": ("a.zip", content)})
    )
    wait_for_task(server.url + posted[-1]["task"])
    moonbase(server.data, "contentdb", "package", "approve", "alice/lamps")
    return server


def post(url: str, token: str, **body: object) -> dict[str, str]:
    reply = requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=30, **body)  # type: ignore[arg-type]
    assert reply.status_code == 200, reply.text
    answer: dict[str, str] = reply.json()
    return answer


def wait_for_task(url: str) -> None:
    deadline = time.monotonic() + 30
    while requests.get(url, timeout=30).json()["status"] != "SUCCESS":
        assert time.monotonic() < deadline, "the release is not checked"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "path", "heading"),
    [
        ("home", "/", "A server for the Lua world"),
        ("modules", "/modules", "LuaRocks modules"),
        ("found-nothing", "/modules?q=nothing&user=bob", "LuaRocks modules"),
        ("module", "/modules/alice/say", "say"),
        ("package", "/packages/alice/lamps/?protocol_version=44&engine_version=5.9", "Lamps"),
        ("user", "/users/alice", "alice"),
        ("missing", "/nowhere/at/all", "Not Found"),
    ],
)
def test_a_page_is_accessible_in_light_and_dark_mode_on_phone_and_desktop(
    works: Server, page: Page, name: str, path: str, heading: str
) -> None:
    page.goto(works.url + path)
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    look(page, name)


def test_the_images_of_a_package_are_shown(works: Server, page: Page) -> None:
    page.goto(f"{works.url}/packages/alice/lamps/")
    width = page.get_by_role("img", name="Screenshot: A lamp").evaluate("image => image.naturalWidth")
    assert width == 270
    expect(page.get_by_role("link", name="far")).to_have_attribute("href", "https://img.example.org/x.png")


def test_a_search_leads_to_a_module_and_its_author(works: Server, page: Page) -> None:
    page.goto(works.url)
    page.get_by_role("link", name="All modules").click()
    page.get_by_label("Words").fill("say")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="say").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("say")
    page.get_by_role("link", name="alice").click()
    page.get_by_role("link", name="Lamps").click()
    assert page.url == f"{works.url}/packages/alice/lamps/"


def test_the_keyboard_skips_to_the_content(works: Server, page: Page) -> None:
    page.goto(works.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Create an account")).to_be_focused()
