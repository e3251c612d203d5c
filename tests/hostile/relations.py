"""The permissions that rules decide: for each one a request, and the kinds of credentials that it allows and refuses.

Each relation uses an object of its own where an allowed request changes the verdict of a later one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.errors import NotFound
from chalicelib.luarocks import custom_manifests
from tests.client import Client, Reply
from tests.contentdb.builders import change
from tests.contentdb.files import MOD, zipped
from tests.hel.builders import package
from tests.hostile.identities import SESSION, doors, present
from tests.hostile.store import Store

_ABUSE = {"category": "spam", "title": "A spammer writes", "message": "Everywhere, all the time."}


@dataclass
class Scene:
    """A filled store with what the relations need besides. `reviews` has the ids of reviews by the kind of author."""

    store: Store
    client: Client
    reviews: dict[str, int] = field(default_factory=dict)
    used: int = 0
    comment: int = 0
    reported: int = 0

    def __post_init__(self) -> None:
        """Make a private collection, a review that waits for approval, and an open manifest of the stranger."""
        secret = {"title": "Mine", "private": True, "items": []}
        self._ok("owner", "contentdb", "PUT", f"/api/collections/{self.alice}/secret/", secret)
        self.review("new member", "See https://example.com")
        self.review("stranger")
        mixed = {"description": "x", "is_open": True}
        self._ok("stranger", "luarocks", "PUT", f"/api/1/{{key}}/manifests/mixed{self.store.number}", mixed)

    @property
    def alice(self) -> str:
        """The owner's name."""
        return self.store.username("alice")

    def next_number(self) -> int:
        """A number that was not used before."""
        self.used += 1
        return self.used

    def place(self, service: str, parameter: str) -> str:
        """The first value of a path's parameter, see Store."""
        return self.store.places[service][parameter][0]

    def review(self, kind: str, comment: str = "Really good") -> None:
        """Let an account review the package, unless its review is stored; the review has a new id then."""
        known = self.reviews.get(kind)
        if known and self.client.get(f"/api/packages/{self.alice}/lamps/reviews/{known}/").status == 200:
            return
        body = {"title": "A review", "comment": comment, "rating": 5}
        reply = self._ok(kind, "contentdb", "PUT", f"/api/packages/{self.alice}/lamps/reviews/", body)
        self.reviews[kind] = reply.json["review"]["thread"]["id"]

    def say(self) -> None:
        """Let the owner comment on the stranger's review; the comment has a new id."""
        path = f"/api/packages/{self.alice}/lamps/reviews/{self.reviews['stranger']}/comments/"
        self.comment = self._ok("owner", "contentdb", "POST", path, {"comment": "Thanks."}).json["comment"]["id"]

    def complain(self) -> None:
        """Let the administrator, whose reports are not limited, report abuse; the report has a new id."""
        self.reported = self._ok("administrator", "contentdb", "POST", "/api/reports/", _ABUSE).json["report"]["id"]

    def store_file(self) -> None:
        """Store the owner's file at Hel."""
        headers = {"Authorization": f"Bearer {self.store.identity('owner', 'hel').secret}"}
        assert self.client.post("/hel/files", query="name=x.lua", body=b"print(1)", headers=headers).status < 300

    def publish_other(self) -> None:
        """Publish a second package of the owner at Hel, if there is none."""
        name = f"other{self.store.number}"
        if self.client.get(f"/packages/{name}", headers={"Accept": "application/json"}).status == 200:
            return
        self._ok("owner", "hel", "POST", "/packages", package(name, owners=[self.alice]))

    def _ok(self, kind: str, service: str, method: str, path: str, body: Any) -> Reply:
        shown = present(self.store.identity(kind, service), service, doors(service)[0])
        reply = self.client.request(method, path.replace("{key}", shown.key), json=body, headers=dict(shown.headers))
        assert reply.status < 300, reply.body
        return reply


@dataclass(frozen=True)
class Ask:
    """A request that needs the permission; `{key}` in the path is the caller's key."""

    method: str
    path: str
    body: Any = None
    query: str = ""
    form: dict[str, str] | None = None
    files: dict[str, tuple[str, bytes]] | None = None


@dataclass(frozen=True)
class Relation:
    """What a permission means. `ask` makes the request, `before` the state that each allowed request needs.

    `None` among the kinds is no credential. `status` is that of a refusal. `by_rank`: it is the rank that allows an
    administrator to change an object of another account.
    """

    permission: str
    service: str
    ask: Callable[[Scene], Ask]
    allowed: tuple[str | None, ...]
    refused: tuple[str | None, ...]
    before: Callable[[Scene], object] = lambda scene: None
    status: int = 403
    by_rank: bool = True


def send(scene: Scene, relation: Relation, kind: str | None) -> Reply:
    """Send the request of a relation with the credential of a kind."""
    service, ask = relation.service, relation.ask(scene)
    found = kind and scene.store.identity(kind, SESSION if service == "account" else service)
    shown = present(found or None, service, doors(service)[0])
    path, headers = ask.path.replace("{key}", shown.key), dict(shown.headers)
    return scene.client.request(
        ask.method, path, query=ask.query, headers=headers, json=ask.body, form=ask.form, files=ask.files
    )


def _module(scene: Scene) -> str:
    return f"/api/1/{{key}}/modules/{scene.alice}/say"


def _mixed(scene: Scene) -> str:
    return f"/api/1/{{key}}/manifests/mixed{scene.store.number}/modules/{scene.alice}/say"


def _package(scene: Scene, name: str = "lamps") -> str:
    return f"/api/packages/{scene.alice}/{name}"


def _review(scene: Scene, kind: str) -> str:
    return f"{_package(scene)}/reviews/{scene.reviews[kind]}"


def _in_state(name: str, state: str) -> Callable[[Scene], object]:
    return lambda scene: change(f"{scene.alice}/{name}", state=state)


def _list(scene: Scene) -> object:
    return custom_manifests.add(f"mixed{scene.store.number}", scene.alice, "say", None)


def _unlist(scene: Scene) -> None:
    with suppress(NotFound):
        custom_manifests.remove(f"mixed{scene.store.number}", scene.alice, "say", None)


_STAFF = ("editor", "moderator", "administrator")
RELATIONS = (
    Relation(
        "any",
        "luarocks",
        lambda scene: Ask("GET", "/api/1/{key}/manifests"),
        ("stranger", "new member", "banned"),
        (None, "garbage"),
        status=401,
    ),
    Relation(
        "own",
        "account",
        lambda scene: Ask("GET", "/account/api/keys"),
        ("owner", "stranger", "administrator"),
        (None, "garbage", "ended"),
        status=401,
        by_rank=False,
    ),
    Relation(
        "owner of the module",
        "luarocks",
        lambda scene: Ask("PATCH", _module(scene), {"summary": "Says it"}),
        ("owner", "co-owner"),
        ("stranger", "editor", "moderator", "read-only scope"),
    ),
    Relation(
        "holder of the module",
        "luarocks",
        lambda scene: Ask("POST", f"{_module(scene)}/transfer", {"to": scene.store.username("alice")}),
        ("owner",),
        ("co-owner", "stranger", "moderator"),
    ),
    Relation(
        "holder of the module, or the owner in the path",
        "luarocks",
        lambda scene: Ask("PUT", f"{_module(scene)}/owners/{scene.store.username('newbie')}"),
        ("owner", "new member"),  # the second one accepts the invitation of the first
        ("co-owner", "stranger", "moderator", "new member"),
    ),
    Relation(
        "admin of the manifest",
        "luarocks",
        lambda scene: Ask("PATCH", f"/api/1/{{key}}/manifests/team{scene.store.number}", {"description": "x"}),
        ("owner", "co-owner", "administrator"),
        ("stranger", "moderator"),
    ),
    Relation(
        "admin of the manifest, or owner of the module",
        "luarocks",
        lambda scene: Ask("DELETE", _mixed(scene)),
        ("stranger", "owner", "co-owner", "administrator"),  # the stranger's manifest
        ("approver", "moderator"),
        before=_list,
    ),
    Relation(
        "admin of the manifest; owner of the module, if the manifest is open",
        "luarocks",
        lambda scene: Ask("PUT", _mixed(scene)),
        ("stranger", "owner", "co-owner", "administrator"),
        ("approver", "moderator"),
        before=_unlist,
    ),
    Relation(
        "owner of the zone",
        "luadns",
        lambda scene: Ask("GET", f"/v1/zones/{scene.place('luadns', 'zone_id')}"),
        ("owner", "scope of the object", "read-only scope"),
        ("stranger", "co-owner", "scope of another object", "moderator", "administrator"),
        status=404,
    ),
    Relation(
        "author of the collection, or editor",
        "contentdb",
        lambda scene: Ask("PUT", f"/api/collections/{scene.alice}/lamps/", {"title": "Lights"}),
        ("owner", *_STAFF),
        ("stranger", "co-owner", "approver"),
    ),
    Relation(
        "any; a private one: its author",
        "contentdb",
        lambda scene: Ask("GET", f"/api/collections/{scene.alice}/secret/"),
        ("owner",),
        (None, "stranger", "co-owner", "scope of the object", "editor", "administrator"),
        status=404,
    ),
    Relation(
        "any; a pending one: its author, or approver",
        "contentdb",
        lambda scene: Ask("GET", _review(scene, "new member")),
        ("new member", "approver", *_STAFF),
        (None, "owner", "stranger"),
        status=404,
        by_rank=False,
    ),
    Relation(
        "any; pending ones: approver",
        "contentdb",
        lambda scene: Ask("GET", "/api/reviews/", query="approved=no"),
        ("approver", *_STAFF),
        ("owner", "stranger", "new member"),
        by_rank=False,
    ),
    Relation(
        "approver",
        "contentdb",
        lambda scene: Ask("POST", f"{_review(scene, 'stranger')}/approve/"),
        ("approver", *_STAFF),
        ("owner", "stranger", "co-owner"),
    ),
    Relation(
        "maintainer of the package, or approver",
        "contentdb",
        lambda scene: Ask("PUT", f"{_package(scene)}/comments/", {"closed": True}),
        ("owner", "co-owner", "approver", *_STAFF),
        ("stranger", "new member"),
        status=404,
        by_rank=False,
    ),
    Relation(
        "author of the review, maintainer of the package, or approver",
        "contentdb",
        lambda scene: Ask("PUT", f"{_review(scene, 'stranger')}/comments/", {"closed": False}),
        ("stranger", "owner", "co-owner", "approver", *_STAFF),
        ("new member", "second factor"),
    ),
    Relation(
        "new member, who can see the review",
        "contentdb",
        lambda scene: Ask("POST", f"{_review(scene, 'stranger')}/comments/", {"comment": "I agree."}),
        ("new member", "second factor", "moderator"),
        ("banned",),
        by_rank=False,
    ),
    Relation(
        "author of the comment, or moderator",
        "contentdb",
        lambda scene: Ask("DELETE", f"{_review(scene, 'stranger')}/comments/{scene.comment}/"),
        ("owner", "moderator"),
        ("stranger", "co-owner", "new member", "approver", "editor"),
        before=lambda scene: scene.say(),
    ),
    Relation(
        "new member",
        "contentdb",
        lambda scene: Ask("POST", "/api/reports/", _ABUSE),
        ("new member", "stranger"),
        ("banned",),
        by_rank=False,
    ),
    Relation(
        "author of the report, or editor",
        "contentdb",
        lambda scene: Ask("GET", f"/api/reports/{scene.place('contentdb', 'reports')}/"),
        ("owner", *_STAFF),
        ("stranger", "co-owner", "approver"),
        status=404,
        by_rank=False,
    ),
    Relation(
        "editor",
        "contentdb",
        lambda scene: Ask("POST", f"/api/reports/{scene.reported}/close/", {"outcome": "no_action"}),
        _STAFF,
        ("owner", "approver"),
        before=lambda scene: scene.complain(),
        status=404,
    ),
    Relation(
        "new member, not the author of the review",
        "contentdb",
        lambda scene: Ask("PUT", f"{_review(scene, 'stranger')}/votes/", {"is_helpful": True}),
        ("new member", "owner", "administrator"),
        ("stranger", "banned"),
        by_rank=False,
    ),
    Relation(
        "author of the review, or moderator",
        "contentdb",
        lambda scene: Ask("DELETE", f"{_review(scene, 'stranger')}/"),
        ("stranger", "moderator"),
        ("owner", "co-owner", "new member", "approver", "editor"),
        before=lambda scene: scene.review("stranger"),
    ),
    Relation(
        "new member, not a maintainer",
        "contentdb",
        lambda scene: Ask(
            "PUT", f"{_package(scene, 'doors')}/reviews/", {"title": "Good doors", "comment": "Opens well", "rating": 5}
        ),
        ("new member", "second factor", *_STAFF),
        ("owner", "co-owner", "banned"),
        by_rank=False,
    ),
    Relation(
        "the author in the path, or approver",
        "contentdb",
        lambda scene: Ask(
            "POST",
            _package(scene, f"new{scene.next_number()}"),
            {"type": "MOD", "title": "New", "license": "MIT", "short_description": "A new one"},
        ),
        ("owner", "approver", *_STAFF),
        ("stranger", "co-owner", "banned"),
    ),
    Relation(
        "the user in the path, or moderator",
        "contentdb",
        lambda scene: Ask("PUT", f"/api/users/{scene.alice}/", {"display_name": "Alice"}),
        ("owner", "moderator", "administrator"),
        ("stranger", "approver", "editor"),
    ),
    Relation(
        "package: add screenshots",
        "contentdb",
        lambda scene: Ask(
            "POST", f"{_package(scene)}/screenshots/order/", scene.store.places["contentdb"]["screenshots"]
        ),
        ("owner", "co-owner", "scope of the object", *_STAFF),
        ("stranger", "approver", "scope of another object"),
    ),
    Relation(
        "package: approve screenshot",
        "contentdb",
        lambda scene: Ask("POST", f"{_package(scene)}/screenshots/{scene.place('contentdb', 'screenshots')}/approve/"),
        ("approver", *_STAFF),
        ("owner", "co-owner", "stranger", "scope of another object"),
    ),
    Relation(
        "package: approve",
        "contentdb",
        lambda scene: Ask("POST", f"{_package(scene)}/approve/"),
        ("approver", *_STAFF),
        ("owner", "co-owner", "stranger", "second factor"),
    ),
    Relation(
        "package: unapprove",
        "contentdb",
        lambda scene: Ask("POST", f"{_package(scene, 'game')}/unapprove/"),
        ("owner", "approver", *_STAFF),
        ("stranger", "co-owner"),
        before=_in_state("game", "APPROVED"),
    ),
    Relation(
        "package: delete",
        "contentdb",
        lambda scene: Ask("DELETE", f"{_package(scene, 'draft')}/"),
        ("owner", *_STAFF),
        ("stranger", "co-owner", "approver", "scope of another object"),
        before=_in_state("draft", "WIP"),
    ),
    Relation(
        "package: edit",
        "contentdb",
        lambda scene: Ask("PUT", f"{_package(scene)}/", {"short_description": "Many lamps"}),
        ("owner", "co-owner", *_STAFF),
        ("stranger", "approver", "read-only scope"),
    ),
    Relation(
        "package: edit aliases",
        "contentdb",
        lambda scene: Ask("PUT", f"{_package(scene)}/aliases/", [f"{scene.alice}/lights"]),
        ("administrator",),
        ("owner", "co-owner", "approver", "editor", "moderator"),
    ),
    Relation(
        "package: edit maintainers",
        "contentdb",
        lambda scene: Ask("PUT", f"{_package(scene)}/maintainers/", [scene.store.username("cora")]),
        ("owner", *_STAFF),
        ("stranger", "co-owner", "approver"),
    ),
    Relation(
        "package: make release",
        "contentdb",
        lambda scene: Ask(
            "POST",
            f"{_package(scene)}/releases/new/",
            form={"title": f"2.{scene.next_number()}"},
            files={"file": ("x.zip", zipped({**MOD, "mod.conf": "name = lamps"}))},
        ),
        ("owner", "co-owner", "editor"),
        ("stranger", "approver", "scope of another object"),
    ),
    Relation(
        "delete_file: owner of the file, or admin",
        "hel",
        lambda scene: Ask("DELETE", f"/hel/files/{scene.alice}/{scene.place('hel', 'sha256')}/x.lua"),
        ("owner", "administrator"),
        ("stranger", "co-owner", "moderator", None),
        before=Scene.store_file,
    ),
    Relation(
        "update_package: owner of the package, or admin",
        "hel",
        lambda scene: Ask("PATCH", f"/packages/thing{scene.store.number}", {"description": "A thing"}),
        ("owner", "scope of the object", "administrator"),
        ("stranger", "co-owner", "moderator", "scope of another object", None),
    ),
    Relation(
        "delete_package: owner of the package, or admin",
        "hel",
        lambda scene: Ask("DELETE", f"/packages/other{scene.store.number}"),
        ("owner", "administrator"),
        ("stranger", "co-owner", "moderator", None),
        before=Scene.publish_other,
    ),
)
