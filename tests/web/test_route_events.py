"""Each route that writes leaves the published event that it declares, with the true hashes of its files.

A new route that declares an event needs a request here; one that declares neither is rejected by its slice.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from app import SLICES
from chalicelib import settings
from chalicelib.contentdb.service import service as contentdb
from chalicelib.core import blobs, events, job_runner
from chalicelib.core.registry import DeclarationError
from chalicelib.hel.routes import service as hel
from chalicelib.luarocks.service import service as luarocks
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Leaves, LeavesNone, Route
from chalicelib.web.service import Service
from chalicelib.web.slice import Slice
from tests import git_server, worlds
from tests.client import Client, Reply
from tests.contentdb import builders
from tests.contentdb.files import MOD, picture, zipped
from tests.hel.builders import package
from tests.hostile import store
from tests.hostile.identities import present
from tests.hostile.store import Store
from tests.luarocks.builders import rock, rockspec

OWNER, STRANGER, ADMINISTRATOR = "owner", "stranger", "administrator"
_OF_PATHS = {"/api/1/": "luarocks", "/api/": "contentdb", "/packages": "hel", "/hel/": "hel"}


class World:
    """A filled store, and requests to it."""

    def __init__(self, filled: Store) -> None:
        self.store, self.client = filled, Client()
        self.alice, self.bob = filled.username("alice"), filled.username("bob")

    def __call__(
        self, method: str, template: str, who: str = OWNER, path: Mapping[str, Any] = {}, **more: Any
    ) -> Reply:
        """Send a request that must succeed. The values of the path are those of the store, or given ones."""
        service = next(name for prefix, name in _OF_PATHS.items() if template.startswith(prefix))
        door = "path" if service == "luarocks" else "bearer"
        shown = present(self.store.identity(who, service), service, door)
        values = {name: found[0] for name, found in self.store.places[service].items()} | {"key": shown.key, **path}
        target = re.sub(r"{(\w+)}", lambda match: str(values[match[1]]), template)
        reply = self.client.request(method, target, headers=shown.headers, **more)
        assert 200 <= reply.status < 300, (method, target, reply.body)
        return reply


Case = Callable[[World], object]
KEY, CDB = "/api/1/{key}", "/api/packages/{author}/{name}"
MODULE, MANIFEST = f"{KEY}/modules/{{user}}/{{module}}", f"{KEY}/manifests/{{manifest}}"
VERSION, COLLECTION = f"{MODULE}/versions/{{version}}", "/api/collections/{author}/{name}"
ROCK_PATH = f"{KEY}/upload_rock/{{version_id}}"
UPLOADS = ("PATCH", "POST", "PUT")
ROCKSPEC = {"rockspec_file": ("x.rockspec", rockspec(version="3.0-1"))}
ROCK = {"rock_file": ("say-1.0-1.all.rock", rock())}
SHOT = {"files": {"file": ("x.png", picture(size=(64, 64)))}, "form": {"title": "A view"}}
REVIEW = {"title": "Really good", "comment": "I like it a lot", "rating": 5}


def share(world: World) -> None:
    """Make Bob an owner: the event is that of his acceptance."""
    world("PUT", f"{MODULE}/owners/{{owner}}")
    world("PUT", f"{MODULE}/owners/{{owner}}", STRANGER)


def transfer(world: World) -> None:
    share(world)
    world("POST", f"{MODULE}/transfer", json={"to": world.bob})


def remove_owner(world: World) -> None:
    share(world)
    world("DELETE", f"{MODULE}/owners/{{owner}}")


def delete_manifest(world: World) -> None:
    world("DELETE", f"{MANIFEST}/modules/{{user}}/{{module}}")
    world("DELETE", MANIFEST)


def remove_admin(world: World) -> None:
    world("PUT", f"{MANIFEST}/admins/{{admin}}")
    world("DELETE", f"{MANIFEST}/admins/{{admin}}")


def release(world: World) -> None:
    files = {"file": ("x.zip", zipped({**MOD, "mod.conf": "name = lamps"}))}
    world("POST", f"{CDB}/releases/new", form={"title": "2.0"}, files=files)
    while job_runner.run_due():
        pass


def hook(host: str) -> Case:
    """Let a Git host report a push, with the token in a header or a signature."""

    def case(world: World) -> None:
        repo = git_server.repository()
        files = {**MOD, "mod.conf": "name = lamps"}
        commit = git_server.commit(repo, {path: content.encode() for path, content in files.items()})
        with settings.override(outbound_networks=("127.0.0.1/32",)), git_server.serving({"mod": repo}) as url:
            builders.change(f"{world.alice}/lamps", repo=f"{url}/mod")
            secret = world("POST", f"{CDB}/webhook-tokens").json["token"]
            data = {"event_name": "push", "ref": "refs/heads/main", "after": commit, "checkout_sha": commit}
            where = {"full_name": "x", "html_url": f"{url}/mod", "web_url": f"{url}/mod"}
            body = json.dumps({**data, "repository": where, "project": where}).encode()
            signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
            headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}", "X-Gitlab-Token": secret}
            assert world.client.post(f"/{host}/webhook/", body=body, headers=headers).json["success"]
            while job_runner.run_due():
                pass

    return case


def delete_release(world: World) -> None:
    release(world)
    world("DELETE", f"{CDB}/releases/{{id}}", path={"id": world.store.places["contentdb"]["releases"][0]})


def submitted(world: World) -> dict[str, str]:
    """Submit a complete draft; return its place in paths."""
    key = f"{world.alice}/draft"
    builders.change(key, ai_disclosure="NONE", supports_all_games=True)
    world("POST", f"{CDB}/screenshots/new", path={"name": "draft"}, **SHOT)
    world("POST", f"{CDB}/submit", path={"name": "draft"})
    return {"name": "draft"}


def approve(world: World) -> None:
    world("POST", f"{CDB}/approve", ADMINISTRATOR, submitted(world))


def order(world: World) -> None:
    ids = [int(number) for number in world.store.places["contentdb"]["screenshots"]]
    world("POST", f"{CDB}/screenshots/order", json=ids)


def cover(world: World) -> None:
    number = int(world.store.places["contentdb"]["screenshots"][0])
    world("POST", f"{CDB}/screenshots/cover-image", json={"cover_image": number})


def screenshot(world: World) -> dict[str, str]:
    return {"id": world.store.places["contentdb"]["screenshots"][0]}


def approve_screenshot(world: World) -> None:
    made = world("POST", f"{CDB}/screenshots/new", **SHOT).json["screenshot"]
    world("POST", f"{CDB}/screenshots/{{id}}/approve", ADMINISTRATOR, {"id": str(made["id"])})


def approve_review(world: World) -> None:
    pending = {**REVIEW, "comment": "See https://example.org"}
    reply = world("PUT", f"{CDB}/reviews", "new member", json=pending)
    world("POST", f"{CDB}/reviews/{{id}}/approve", ADMINISTRATOR, {"id": reply.json["review"]["thread"]["id"]})


def refuse_screenshot(world: World) -> None:
    made = world("POST", f"{CDB}/screenshots/new", **SHOT).json["screenshot"]
    why = {"reason": "Too dark."}
    world("POST", f"{CDB}/screenshots/{{id}}/refuse", ADMINISTRATOR, {"id": str(made["id"])}, json=why)


def refuse_review(world: World) -> None:
    pending = {**REVIEW, "comment": "See https://example.org"}
    number = world("PUT", f"{CDB}/reviews", "new member", json=pending).json["review"]["thread"]["id"]
    world("POST", f"{CDB}/reviews/{{id}}/refuse", ADMINISTRATOR, {"id": number}, json={"reason": "No links."})


def delete_review(world: World) -> None:
    number = world.store.places["contentdb"]["reviews"][0]
    world("DELETE", f"{CDB}/reviews/{{id}}", ADMINISTRATOR, {"id": number})


def simple(method: str, template: str, who: str = OWNER, path: Mapping[str, str] = {}, **more: Any) -> Case:
    return lambda world: world(method, template, who, path, **more)


CASES: dict[tuple[str, str], Case] = {
    **{(method, f"{KEY}/upload"): simple(method, f"{KEY}/upload", files=ROCKSPEC) for method in UPLOADS},
    **{(method, ROCK_PATH): simple(method, ROCK_PATH, files=ROCK) for method in UPLOADS},
    ("PATCH", MODULE): simple("PATCH", MODULE, json={"archived": True}),
    ("DELETE", MODULE): simple("DELETE", MODULE),
    ("PUT", f"{MODULE}/root"): simple("PUT", f"{MODULE}/root"),
    ("POST", f"{MODULE}/transfer"): transfer,
    ("PUT", f"{MODULE}/owners/{{owner}}"): share,
    ("DELETE", f"{MODULE}/owners/{{owner}}"): remove_owner,
    ("PATCH", VERSION): simple("PATCH", VERSION, json={"archived": True}),
    ("DELETE", VERSION): simple("DELETE", VERSION),
    ("DELETE", f"{VERSION}/rocks/{{arch}}"): simple("DELETE", f"{VERSION}/rocks/{{arch}}"),
    ("PUT", MANIFEST): simple("PUT", MANIFEST, path={"manifest": "another"}),
    ("PATCH", MANIFEST): simple("PATCH", MANIFEST, json={"description": "New"}),
    ("DELETE", MANIFEST): delete_manifest,
    ("PUT", f"{MANIFEST}/admins/{{admin}}"): simple("PUT", f"{MANIFEST}/admins/{{admin}}"),
    ("DELETE", f"{MANIFEST}/admins/{{admin}}"): remove_admin,
    ("PUT", f"{MANIFEST}/modules/{{user}}/{{module}}"): simple(
        "PUT", f"{MANIFEST}/modules/{{user}}/{{module}}", path={"module": "mine0"}
    ),
    ("DELETE", f"{MANIFEST}/modules/{{user}}/{{module}}"): simple("DELETE", f"{MANIFEST}/modules/{{user}}/{{module}}"),
    ("PUT", CDB): simple("PUT", CDB, json={"title": "Lamps that glow"}),
    ("POST", CDB): simple(
        "POST", CDB, path={"name": "another"}, json={"type": "MOD", "title": "Another", "license": "MIT"}
    ),
    ("DELETE", CDB): simple("DELETE", CDB, ADMINISTRATOR),
    ("POST", f"{CDB}/submit"): submitted,
    ("POST", f"{CDB}/approve"): approve,
    ("POST", f"{CDB}/request-changes"): simple("POST", f"{CDB}/request-changes", ADMINISTRATOR),
    ("POST", f"{CDB}/unapprove"): simple("POST", f"{CDB}/unapprove", ADMINISTRATOR),
    ("POST", f"{CDB}/restore"): simple("POST", f"{CDB}/restore", ADMINISTRATOR, {"name": "gone"}),
    ("PUT", f"{CDB}/maintainers"): simple("PUT", f"{CDB}/maintainers", json=["bob0"]),
    ("PUT", f"{CDB}/aliases"): simple("PUT", f"{CDB}/aliases", ADMINISTRATOR, json=["alice0/lights"]),
    ("POST", f"{CDB}/releases/new"): release,
    ("DELETE", f"{CDB}/releases/{{id}}"): delete_release,
    ("POST", f"{CDB}/screenshots/new"): simple("POST", f"{CDB}/screenshots/new", **SHOT),
    ("POST", f"{CDB}/screenshots/{{id}}/approve"): approve_screenshot,
    ("POST", f"{CDB}/screenshots/{{id}}/refuse"): refuse_screenshot,
    ("POST", f"{CDB}/screenshots/order"): order,
    ("POST", f"{CDB}/screenshots/cover-image"): cover,
    ("DELETE", f"{CDB}/screenshots/{{id}}"): lambda world: world(
        "DELETE", f"{CDB}/screenshots/{{id}}", path=screenshot(world)
    ),
    ("POST", "/github/webhook"): hook("github"),
    ("POST", "/gitea/webhook"): hook("gitea"),
    ("POST", "/forgejo/webhook"): hook("forgejo"),
    ("POST", "/gitlab/webhook"): hook("gitlab"),
    ("PUT", f"{CDB}/reviews"): simple("PUT", f"{CDB}/reviews", ADMINISTRATOR, json=REVIEW),
    ("DELETE", f"{CDB}/reviews"): simple("DELETE", f"{CDB}/reviews", STRANGER),
    ("DELETE", f"{CDB}/reviews/{{id}}"): delete_review,
    ("POST", f"{CDB}/reviews/{{id}}/approve"): approve_review,
    ("POST", f"{CDB}/reviews/{{id}}/refuse"): refuse_review,
    ("PUT", COLLECTION): simple("PUT", COLLECTION, json={"private": True}),
    ("DELETE", COLLECTION): simple("DELETE", COLLECTION),
    ("POST", "/packages"): simple("POST", "/packages", json=package("another")),
    ("PATCH", "/packages/{owner}"): simple("PATCH", "/packages/{owner}", ADMINISTRATOR, json={"license": "MIT"}),
    ("DELETE", "/packages/{owner}"): simple("DELETE", "/packages/{owner}", ADMINISTRATOR),
    ("POST", "/hel/files"): simple("POST", "/hel/files", query="name=y.lua", body=b"print(2)"),
    ("DELETE", "/hel/files/{nick}/{sha256}/{name}"): simple("DELETE", "/hel/files/{nick}/{sha256}/{name}"),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """The directory of a saved world, in which all events have numbers, and its store."""
    directory = tmp_path_factory.mktemp("filled")
    with worlds.saved(directory):
        filled = store.fill()
        events.number_new()
    return directory, filled


@pytest.fixture
def world(template: tuple[Path, Store], tmp_path: Path) -> Iterator[World]:
    """A copy of the saved world."""
    directory, filled = template
    copied = copytree(directory, tmp_path / "copy")
    with worlds.world(worlds.EMBEDDED, copied):
        yield World(filled)


def writing() -> dict[tuple[str, str], Route]:
    services = (each for each in SLICES if isinstance(each, Slice) and not each.no_events)
    return {(one.method, one.path): one for each in services for one in each.service.routes if one.writes}


def test_every_route_with_an_event_has_a_request_here() -> None:
    assert set(CASES) == {key for key, route in writing().items() if isinstance(route.event, Leaves)}


def test_only_these_services_publish() -> None:
    publishing = {each.service for each in SLICES if isinstance(each, Slice) and not each.no_events}
    assert publishing == {luarocks, contentdb, hel}


@pytest.mark.parametrize(("method", "path"), CASES, ids=[f"{method} {path}" for method, path in CASES])
def test_a_route_leaves_its_event_with_true_hashes(world: World, method: str, path: str) -> None:
    declared = writing()[method, path].event
    assert isinstance(declared, Leaves)
    before = len(list(events.every()))
    CASES[method, path](world)
    left = list(events.every())[before:]
    last = left[-1]
    assert (last.kind, last.action in declared.actions) == (declared.kind, True), left
    assert (last.actor is not None, last.credential is not None, last.address) == (True, True, "203.0.113.7")
    contents = [blobs.get(blob.key) for blob in blobs.list_blobs()]
    stored = {(hashlib.sha256(content).hexdigest(), len(content)) for content in contents}
    files = [(file.sha256, file.size) for event in left for file in event.files]
    stores = declared.kind in ("version", "rock", "release", "screenshot", "file") and "publish" in declared.actions
    assert bool(last.files) == (stores or path == f"{CDB}/approve")
    assert stored.issuperset(files)


@pytest.mark.parametrize("event", [None, LeavesNone("it writes nothing that is public"), Leaves("thing", "publish")])
def test_a_slice_rejects_a_route_that_writes_without_an_event_or_a_reason(event: Leaves | LeavesNone | None) -> None:
    service = Service("toy", lambda request, error: Response(400))
    more: Any = {"event": event} if event else {}
    service.route("POST", "/things", ANONYMOUS, **more)(lambda request: Response(204))
    service.route("GET", "/things", ANONYMOUS)(lambda request: Response(204))
    if event:
        Slice(name="toy", service=service, routes=(), paths=("/things",))
        return
    with pytest.raises(DeclarationError, match="POST /things writes, and declares no event"):
        Slice(name="toy", service=service, routes=(), paths=("/things",))


def test_a_slice_without_published_works_needs_one_reason() -> None:
    service = Service("toy", lambda request, error: Response(400))
    service.route("POST", "/things", ANONYMOUS)(lambda request: Response(204))
    Slice(name="toy", service=service, routes=(), paths=("/things",), no_events="toys are private")
