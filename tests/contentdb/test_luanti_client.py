"""The game's content browser with a real server: the menu of 5.6 itself, and the requests and checks of 5.17."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.contentdb.minetest import MainMenu
from tests.servers import Server, moonbase, serving

AUTHOR = re.compile(r"[A-Za-z0-9 _\-.]+")
NAME = re.compile(r"[a-z0-9_]+")


@dataclass
class FilledServer:
    """A running server with packages, and the means to publish more."""

    server: Server
    token: str
    home: Path

    def publish(self, name: str, *, type_: str = "MOD", title: str = "", files: dict[str, str]) -> None:
        """Create a package with the command line, and its release with curl, as in the API's documentation."""
        command = ["contentdb", "package", "create", f"Alice/{name}", "--type", type_, "--title", title or name.title()]
        moonbase(self.server.data, *command, "--license", "MIT", "--short-description", f"About {name}.")
        self.release(name, files)
        moonbase(self.server.data, "contentdb", "package", "approve", f"Alice/{name}")

    def release(self, name: str, files: dict[str, str]) -> int:
        """Upload a zip and wait for its check; return the release's id."""
        archive = self.home / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            for path, text in {"LICENSE.txt": "MIT", **files}.items():
                zipped.writestr(f"{name}/{path}", text)
        url = f"{self.server.url}/api/packages/Alice/{name}/releases/new/"
        form = ["-F", f"title=Release {time.time_ns()}", "-F", f"file=@{archive}"]
        command = ["curl", "-sS", "-X", "POST", url, "-H", f"Authorization: Bearer {self.token}", *form]
        answer = json.loads(subprocess.check_output(command, timeout=30))
        assert answer["success"], answer
        self._wait_for(answer["task"])
        return int(answer["release"]["id"])

    def _wait_for(self, task: str) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            state = get(self.server.url + task)
            if state["status"] == "SUCCESS":
                return
            assert state["status"] != "FAILURE", state
            time.sleep(0.05)
        raise AssertionError("the release was not checked within 30 seconds")


def get(url: str, **headers: str) -> Any:
    """Return a body as JSON, with any status, as the game does."""
    request = urllib.request.Request(url, headers={"User-Agent": "Luanti/5.17.1 (Linux/6.1 x86_64)", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledServer]:
    home = tmp_path_factory.mktemp("site")
    with serving(home / "data") as server:
        moonbase(server.data, "user", "create", "Alice", "--email", "alice@example.org")
        token = moonbase(server.data, "key", "create", "Alice", "--service", "contentdb")["key"]
        running = FilledServer(server, token, home)
        running.publish("moon_game", type_="GAME", files={"game.conf": "title = Moon", "mods/rocks/init.lua": ""})
        running.publish("light", files={"mod.conf": "name = light", "init.lua": "-- light"})
        running.publish("lamps", files={"mod.conf": "name = lamps\ndepends = light", "init.lua": "-- lamps"})
        running.publish("sepia", type_="TXP", files={"texture_pack.conf": "title = Sepia", "a.txt": ""})
        yield running


@pytest.fixture
def menu(site: FilledServer, tmp_path: Path) -> MainMenu:
    """The menu of a new installation of the game."""
    return MainMenu(site.server.url, tmp_path / "home")


def test_the_menu_lists_all_packages(menu: MainMenu) -> None:
    shown = menu.browse()
    for title in ("Moon_Game", "Light", "Lamps", "Sepia"):
        assert f"{title} by Alice" in shown
    assert "About lamps." in shown


def test_the_menu_can_show_one_type(menu: MainMenu) -> None:
    shown = menu.browse("txp")
    assert "Sepia by Alice" in shown
    assert "Lamps by Alice" not in shown


def test_the_menu_can_search(menu: MainMenu) -> None:
    menu.browse()
    shown = menu.press(search="true", search_string="lamps")
    assert "Lamps by Alice" in shown
    assert "Light by Alice" not in shown


def test_the_menu_installs_a_mod_with_its_dependencies(site: FilledServer, menu: MainMenu) -> None:
    menu.browse()
    menu.press(search="true", search_string="lamps")
    dialog = menu.press(install_1="true")
    assert "Install Lamps" in dialog
    assert "#fff,light,#cfc,Light by Alice" in dialog
    shown = menu.press(install_all="true")
    assert "No updates" in shown
    assert (menu.home / "mods/lamps/init.lua").read_text() == "-- lamps"
    assert (menu.home / "mods/light/init.lua").read_text() == "-- light"
    conf = menu.read_conf(str(menu.home / "mods/lamps/mod.conf"))
    assert (conf["title"], conf["author"], conf["depends"]) == ("Lamps", "Alice", "light")
    paths = [request.removeprefix(site.server.url).partition("?")[0] for request in menu.requests]
    assert re.fullmatch(r"/packages/Alice/lamps/releases/\d+/download/", paths[-2])


def test_the_menu_installs_games_and_texture_packs(menu: MainMenu) -> None:
    for kind, path in (("game", "games/moon_game/game.conf"), ("txp", "textures/sepia/a.txt")):
        menu.browse(kind)
        menu.press(install_1="true")
        assert (menu.home / path).exists()


def test_the_menu_updates_an_old_package(site: FilledServer, menu: MainMenu) -> None:
    menu.browse("txp")
    menu.press(install_1="true")
    site.release("sepia", {"texture_pack.conf": "title = Sepia", "b.txt": ""})
    again = MainMenu(site.server.url, menu.home)
    assert "Update All [1]" in again.browse()
    assert "No updates" in again.press(update_all="true")
    assert (menu.home / "textures/sepia/b.txt").exists()


def version() -> str:
    return urlencode({"protocol_version": 53, "engine_version": "5.17.1"})


def list_packages(site: FilledServer) -> list[dict[str, Any]]:
    """Request and check the list of packages as 5.17 does; return it."""
    hidden = "".join(f"&hide={quote(flag)}" for flag in ("nonfree", "desktop_default"))
    url = f"{site.server.url}/api/packages/?type=mod&type=game&type=txp&{version()}{hidden}"
    packages = get(url, **{"Accept-Language": "de", "Accept-Encoding": "identity"})
    assert isinstance(packages, list)
    assert packages, "No packages could be retrieved"
    for package in packages:
        assert isinstance(package["release"], int)
        assert AUTHOR.fullmatch(package["author"])
        assert NAME.fullmatch(package["name"])
        assert package["type"] in ("mod", "game", "txp")
        assert isinstance(package["title"], str)
        assert isinstance(package["short_description"], str)
        assert isinstance(package.get("thumbnail"), str | None)
        assert all(isinstance(alias, str) for alias in package.get("aliases", []))
    return packages


def identity(package: dict[str, Any]) -> str:
    """Return the key that 5.17 uses for a package."""
    name = package["name"]
    if package["type"] == "game" and len(name) > 5:
        name = name.removesuffix("_game")
    return f"{package['author'].lower()}/{name}"


def test_5_17_reads_the_list(site: FilledServer) -> None:
    assert sorted(map(identity, list_packages(site))) == ["alice/lamps", "alice/light", "alice/moon", "alice/sepia"]


def test_5_17_resolves_dependencies(site: FilledServer) -> None:
    packages = {identity(package): package for package in list_packages(site)}
    url = f"{site.server.url}/api/packages/Alice/lamps/dependencies/?only_hard=1&{version()}"
    raw = {key.lower(): dependencies for key, dependencies in get(url).items()}
    assert set(raw) == {"alice/lamps", "alice/light"}
    [needed] = raw["alice/lamps"]
    assert needed["is_optional"] is False
    found = [packages[key.lower()] for key in needed["packages"] if key.lower() in packages]
    assert [package["name"] for package in found if package["type"] != "game"] == [needed["name"]] == ["light"]


def test_5_17_reads_the_updates(site: FilledServer) -> None:
    updates = get(f"{site.server.url}/api/updates/?type=mod&type=game&type=txp&{version()}")
    newest = {key.lower(): release for key, release in updates.items()}
    for package in list_packages(site):
        assert newest[f"{package['author']}/{package['name']}".lower()] == package["release"]


def test_5_17_downloads_a_valid_zip(site: FilledServer, tmp_path: Path) -> None:
    [lamps] = [package for package in list_packages(site) if package["name"] == "lamps"]
    url = f"{site.server.url}/packages/Alice/lamps/releases/{lamps['release']}/download/?reason=new"
    command = ["curl", "-sSfL", "--max-redirs", "3", "-A", "Luanti/5.17.1 (Linux)", "-o", str(tmp_path / "a.zip"), url]
    subprocess.run(command, check=True, timeout=30)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("lamps/init.lua") == b"-- lamps"


def dialog_of_reviews(site: FilledServer, key: str) -> str:
    """Return the content of the reviews tab in the package dialog of 5.12 and later."""
    url = (
        f"{site.server.url}/api/packages/{key}/for-client/reviews/?{version()}&formspec_version=9&include_images=false"
    )
    try:
        reviews = get(url, **{"Accept-Language": "de"})
    except json.JSONDecodeError:
        return "Error loading reviews"
    hypertext = str(reviews["head"] + reviews["body"])
    for word, picture in (("thumbsup", "thumb_up"), ("thumbsdown", "thumb_down"), ("neutral", "neutral")):
        hypertext = hypertext.replace(f"<{word}>", f'<img name="contentdb_{picture}.png" width=24>')
    for name in re.findall(r"<action name=(\w+)>", hypertext):
        assert reviews["links"][name].startswith(("http://", "https://"))
    return hypertext


def test_5_17_shows_reviews(site: FilledServer) -> None:
    assert "No reviews available." in dialog_of_reviews(site, "Alice/sepia")
    moonbase(site.server.data, "user", "create", "bob", "--email", "bob@example.org")
    token = moonbase(site.server.data, "key", "create", "bob", "--service", "contentdb")["key"]
    review = {"title": "It <thumbsdown> is dark", "comment": "But *what* light, says @Alice!", "rating": 5}
    url = f"{site.server.url}/api/packages/Alice/lamps/reviews/"
    command = ["curl", "-sSf", "-X", "PUT", url, "-H", f"Authorization: Bearer {token}", "-d", json.dumps(review)]
    assert json.loads(subprocess.check_output(command, timeout=30))["success"]
    shown = dialog_of_reviews(site, "Alice/lamps")
    assert '<u>bob</u></action> <img name="contentdb_thumb_up.png" width=24>\n' in shown
    assert "<big>It \\<thumbsdown\\> is dark</big>\nBut <i>what</i> light" in shown
    assert [package["name"] for package in get(f"{site.server.url}/api/packages/?sort=reviews")] == ["lamps"]


def test_5_17_shows_an_error_if_reviews_cannot_be_loaded(site: FilledServer) -> None:
    assert dialog_of_reviews(site, "Alice/nothing") == "Error loading reviews"


def viewed(site: FilledServer, author: str, name: str) -> dict[str, Any] | None:
    """Return the response for 5.17's package dialog; None if it shows "Error loading package information"."""
    query = f"{version()}&formspec_version=8&include_images=false"
    url = f"{site.server.url}/api/packages/{quote(author)}/{quote(name)}/for-client/?{query}"
    headers = {"User-Agent": "Luanti/5.17.1 (Linux/6.1 x86_64)", "Accept-Language": "de, en;q=0.8"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    try:
        found: dict[str, Any] | None = json.loads(body)
    except ValueError:
        return None
    return found


def shown_in_dialog(site: FilledServer, package: dict[str, Any]) -> str:
    """Check a package as 5.17's dialog does; return the content of its tabs."""
    info = viewed(site, package["author"], package["name"])
    assert info is not None
    assert package["name"] == info["name"]
    stars = [info["reviews"][kind] for kind in ("positive", "neutral", "negative")]
    assert all(type(number) is int for number in (info["downloads"], sum(stars)))
    head = f"by {info['author']} - {info['downloads']} downloads - +{stars[0]} / {stars[1]} / -{stars[2]}"
    for shot in info["screenshots"]:
        assert re.fullmatch(r".+/(uploads|thumbnails/[1-4])/[^/?]+\.(png|jpg|webp)", shot["url"])
    links = info["long_description"]["links"]
    for field in ("donate_url", "website", "repo", "issue_tracker", "translation_url", "forum_url"):
        if info[field]:
            links[f"link_{field}"] = info[field]
    for hypertext in (info["long_description"], info["info_hypertext"]):
        assert all(isinstance(url, str) for url in hypertext["links"].values())
        assert set(re.findall(r"<action name=(\w+)>", hypertext["body"])) <= set(hypertext["links"])
    tabs = [hypertext["head"] + hypertext["body"] for hypertext in (info["long_description"], info["info_hypertext"])]
    return "\n".join([head, "Install [" + info["download_size"] + "]", *tabs])


def test_5_17_opens_the_dialog_of_every_package(site: FilledServer) -> None:
    for package in list_packages(site):
        shown = shown_in_dialog(site, package)
        liked = len(get(f"{site.server.url}/api/packages/Alice/{package['name']}/reviews/"))
        assert re.match(rf"by Alice - \d+ downloads - \+{liked} / 0 / -0\nInstall \[0 KB\]\n", shown)
        assert "License: <b>MIT</b>" in shown


def test_5_17_opens_a_link_to_another_package_within_the_game(site: FilledServer) -> None:
    info = viewed(site, "Alice", "lamps")
    assert info is not None
    inside = re.compile(re.escape(site.server.url) + r"/?packages/([A-Za-z0-9 _-]+)/([a-z0-9_]+)/?")
    opened = [found.groups() for url in info["info_hypertext"]["links"].values() if (found := inside.fullmatch(url))]
    assert opened == [("Alice", "light")]


def test_5_17_shows_an_error_for_an_unknown_package(site: FilledServer) -> None:
    assert viewed(site, "Alice", "gone") is None


def test_a_view_is_in_the_statistics_after_the_job(site: FilledServer) -> None:
    assert viewed(site, "Alice", "sepia")
    moonbase(site.server.data, "jobs", "run", "contentdb-book-downloads")
    statistics = get(f"{site.server.url}/api/packages/Alice/sepia/stats/")
    assert sum(statistics["views_luanti"]) == 1


@pytest.mark.parametrize("name", ["book-downloads", "compact-statistics"])
def test_every_repeating_job_can_be_run_by_hand(site: FilledServer, name: str) -> None:
    assert moonbase(site.server.data, "jobs", "run", f"contentdb-{name}") == {"done": 1}
