"""A filled store: accounts of several ranks, objects of all services, and credentials of every kind."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

from chalicelib.account import csrf
from chalicelib.contentdb.packages import states
from chalicelib.core import job_runner
from chalicelib.core.errors import CoreError
from chalicelib.core.identity import accounts, credentials, secret_format, sessions, two_factor
from chalicelib.core.notifications import inbox, unsubscribing
from chalicelib.core.tables import Account, Credential, now
from chalicelib.luarocks import custom_manifests, ownership
from tests import people
from tests.client import Client, Reply
from tests.contentdb.builders import change, draft
from tests.contentdb.files import MOD, picture, zipped
from tests.hel.builders import package
from tests.hostile.identities import KEYS, SESSION, Identity
from tests.luadns.api import basic
from tests.luarocks.builders import rock, rockspec

# Without these limits most requests of a long run would be answered by 429.
SETTINGS: Mapping[str, Any] = {
    "registration": "open",
    "registration_rate": 1_000_000,
    "luadns_rate": 0,
    "luadns_self_service": True,
    "hel_packages": 1_000_000,
    "hel_package_bytes": 2**40,
    "outbound_networks": (),
}
PASSWORD = "correct horse battery"
RANKS = {
    "alice": "MEMBER",  # owns everything
    "bob": "MEMBER",  # owns nothing
    "cora": "MEMBER",  # owns modules, manifests and packages together with alice
    "newbie": "NEW_MEMBER",
    "carol": "APPROVER",
    "editor": "EDITOR",
    "mod": "MODERATOR",
    "root": "ADMIN",
    "banned": "BANNED",
    "eve": "MEMBER",  # suspended
    "tom": "MEMBER",  # with a second factor, which uploads need
    "max": "ADMIN",  # with a second factor, which the session did not prove lately
    "olga": "MEMBER",  # has logged out everywhere
    "dave": "MEMBER",  # may not use LuaDNS' API
}
SCOPES = {
    "luarocks": "module:say",
    "contentdb": "package:alice{number}/lamps",
    "luadns": "zone:alice{number}.test",
    "hel": "package:thing{number}",
}
OTHER_SCOPES = {"luarocks": "module:x", "contentdb": "package:x/x", "luadns": "zone:x.example", "hel": "package:x"}


@dataclass
class Store:
    """What requests can name. `places` has values for the parameters of each service's paths, which fit together."""

    number: int
    accounts: dict[str, Account] = field(default_factory=dict)
    places: dict[str, dict[str, Sequence[str]]] = field(default_factory=dict)
    identities: dict[str, list[Identity]] = field(default_factory=dict)  # by the service of the credential
    slots: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def username(self, role: str) -> str:
        """The name of an account of this store; stores of one installation do not share accounts."""
        return f"{role}{self.number}"

    def identity(self, kind: str, service: str) -> Identity:
        """The credential of a kind for a service, or the session of a kind."""
        return next(each for each in self.identities[service] if each.kind == kind)

    def renew(self, used: Identity) -> None:
        """Replace a good credential that a request has ended, and undo what a request did to its account."""
        made = self.identities[used.service]
        if used not in made or used.kind not in GOOD:
            return
        role = _ROLES.get(used.kind, "alice")
        account = accounts.get(int(self.accounts[role].id))
        if account.suspended:
            accounts.restore(account)
        if not account.luadns_enabled:
            accounts.switch(account, "luadns_enabled", True)
        try:
            credentials.identify(used.secret, used.service)
        except CoreError:
            made[made.index(used)] = _identity(
                self, used.kind, used.service, role, scope=_scope(self, used), proved_at=int(time.time())
            )

    def good(self, service: str) -> list[Identity]:
        """The credentials that a service accepts, without those of banned accounts."""
        return [each for each in self.identities[service] if each.kind in GOOD]


_SCOPED = "scope of the object"
GOOD = (
    "owner",
    "stranger",
    "co-owner",
    "new member",
    "approver",
    "editor",
    "moderator",
    "administrator",
    "scope of the object",
    "second factor",
)
_ROLES = {
    "owner": "alice",
    "stranger": "bob",
    "co-owner": "cora",
    "new member": "newbie",
    "approver": "carol",
    "editor": "editor",
    "moderator": "mod",
    "administrator": "root",
    "second factor": "tom",
    "banned": "banned",
    "suspended": "eve",
    "unproved administrator": "max",
    "API disabled": "dave",
}


def fill(number: int = 0) -> Store:
    """Create accounts, credentials and objects; each number has its own accounts."""
    store = Store(number)
    for role, rank in RANKS.items():
        name = store.username(role)
        account = people.register(name, f"{name}@example.org", PASSWORD, rank)
        accounts.switch(account, "luadns_enabled", role != "dave")
        store.accounts[role] = accounts.get(int(account.id))
        store.secrets.add(str(account.password_hash))
    _make_identities(store)
    client = Client()
    _fill_luarocks(store, client)
    _fill_contentdb(store, client)
    _fill_luadns(store, client)
    _fill_hel(store, client)
    _fill_account(store, client)
    store.places["home"] = {"file": ["x"]}
    store.places["log"] = {
        "service": ["luarocks", "hel"],
        "owner": [store.username("alice")],
        "name": ["say"],
        "level": ["0", "entries"],
        "a": ["000.p", "000", "x001"],
        **{part: ["1", "2", "000.p"] for part in "bcde"},
    }
    job_runner.run_due()
    return store


def _make_identities(store: Store) -> None:
    for role in ("tom", "max"):
        enrolment = two_factor.enable(store.accounts[role], required_for_uploads=role == "tom")
        store.secrets |= {enrolment.secret, *enrolment.recovery_codes}
    for service in (*KEYS, SESSION):
        made = store.identities.setdefault(service, [])
        for kind, role in _ROLES.items():
            proved_at = None if role == "max" else int(time.time())
            made.append(_identity(store, kind, service, role, proved_at=proved_at))
        if service != SESSION:
            made.append(_identity(store, _SCOPED, service, "alice", scope=SCOPES[service].format(number=store.number)))
            made.append(_identity(store, "scope of another object", service, "alice", scope=OTHER_SCOPES[service]))
            made.append(_identity(store, "read-only scope", service, "alice", scope="read"))
        made.append(_identity(store, "expired", service, "alice", ends_after=timedelta(days=1)))
        _stored(made[-1]).update(actions=[Credential.ends_at.set(now() - timedelta(days=1))])
        made.append(_identity(store, "revoked", service, "alice"))
        credentials.revoke(_stored(made[-1]))
        made.append(
            Identity("garbage", service, f"A{secret_format.new_secret()[1:]}", f"{store.username('alice')}@example.org")
        )
    accounts.suspend(store.accounts["eve"])
    store.identities[SESSION].append(_identity(store, "ended", SESSION, "olga"))
    sessions.end_all(accounts.get(int(store.accounts["olga"].id)))


def _identity(store: Store, kind: str, service: str, role: str, **more: Any) -> Identity:
    account = accounts.get(int(store.accounts[role].id))
    secret = credentials.create(account, service, **more)[1]
    store.secrets.add(secret)
    return Identity(kind, service, secret, account.email)


def _scope(store: Store, identity: Identity) -> str | None:
    return SCOPES[identity.service].format(number=store.number) if identity.kind == _SCOPED else None


def _stored(identity: Identity) -> Credential:
    found = Credential.find(f"credential#{credentials.hash_of(identity.secret)}", "credential")
    assert found
    return found


def _ok(reply: Reply) -> Any:
    assert reply.status in (200, 201, 204), reply.body
    return reply.json if reply.body else None


def _fill_luarocks(store: Store, client: Client) -> None:
    key, alice = store.identity("owner", "luarocks").secret, store.username("alice")
    ids: list[str] = []
    for name, version in (("say", "1.0-1"), ("say", "1.1-1"), (f"mine{store.number}", "scm-1")):
        made = _ok(
            client.post(f"/api/1/{key}/upload", files={"rockspec_file": ("x.rockspec", rockspec(name, version))})
        )
        ids.append(str(made["version"]["id"]))
        file = (f"{name}-{version}.src.rock", rock(name, version))
        _ok(client.post(f"/api/1/{key}/upload_rock/{ids[-1]}", files={"rock_file": file}))
    manifest = f"team{store.number}"
    _ok(client.request("PUT", f"/api/1/{key}/manifests/{manifest}", json={"description": "What we use"}))
    _ok(client.request("PUT", f"/api/1/{key}/manifests/{manifest}/modules/{alice}/say"))
    custom_manifests.add_admin(manifest, store.accounts["cora"], None)
    ownership.add(alice, "say", store.accounts["cora"], None)
    store.slots.append(_ok(client.post(f"/api/1/{key}/upload_slot"))["upload"])
    manifests = [f"manifest{version}{form}" for version in ("", "-5.1", "-5.4") for form in ("", ".json", ".zip")]
    store.places["luarocks"] = {
        "user": [alice, alice, alice, store.username("bob"), manifest],
        "module": ["say", "say", f"mine{store.number}"],
        "name": ["say", f"mine{store.number}", alice, manifest],
        "version": ["1.0-1", "1.1-1", "scm-1"],
        "version_id": ids,
        "arch": ["src", "all", "rockspec"],
        "manifest": [manifest, manifest, f"other{store.number}"],
        "admin": [store.username("bob"), alice],
        "owner": [store.username("bob"), alice],
        "file": ["index.html", "say-1.0-1.rockspec", "say-1.0-1.src.rock", "say-1.1-1.src.rock.asc", *manifests],
    }


def _fill_contentdb(store: Store, client: Client) -> None:
    alice = store.username("alice")
    names = ("lamps", "doors", "draft", "gone", "changes", "game")
    for name in names:
        draft(f"{alice}/{name}", type="GAME" if name == "game" else "MOD")
    headers = _bearer(store.identity("owner", "contentdb"))
    releases = []
    for name in names:
        path = f"/api/packages/{alice}/{name}"
        conf = (
            {"game.conf": "title = G\n", "mods/a/init.lua": ""}
            if name == "game"
            else {**MOD, "mod.conf": f"name = {name}"}
        )
        release = _ok(
            client.post(
                f"{path}/releases/new/", headers=headers, form={"title": "1.0"}, files={"file": ("x.zip", zipped(conf))}
            )
        )
        releases.append(str(release["release"]["id"]))
    for name in ("lamps", "doors", "game"):
        change(f"{alice}/{name}", state="APPROVED", maintainers=[store.username("cora")])
    states.apply("delete", alice, "gone")
    change(f"{alice}/changes", state="CHANGES_NEEDED")
    lamps = f"/api/packages/{alice}/lamps"
    shot = {"file": ("x.png", picture(size=(64, 64)))}
    file = _ok(client.post(f"{lamps}/screenshots/new/", headers=headers, form={"title": "A view"}, files=shot))[
        "screenshot"
    ]
    strangers = _bearer(store.identity("stranger", "contentdb"))
    review = {"title": "Really good", "comment": "I *like* it", "rating": 5}
    number = _ok(client.request("PUT", f"{lamps}/reviews/", json=review, headers=strangers))["review"]["thread"]["id"]
    said = _ok(client.post(f"{lamps}/reviews/{number}/comments/", json={"comment": "Thanks."}, headers=headers))
    abuse = {"category": "spam", "title": "A spammer writes", "message": "Everywhere, all the time."}
    report = _ok(client.post("/api/reports/", json=abuse, headers=headers))["report"]["id"]
    items = [f"{alice}/lamps", f"{alice}/doors"]
    _ok(
        client.request(
            "PUT", f"/api/collections/{alice}/lamps/", json={"title": "Lamps", "items": items}, headers=headers
        )
    )
    store.slots.append(_ok(client.post("/api/uploads/new/", headers=headers))["upload"])
    store.places["contentdb"] = {
        "author": [alice, alice, alice, store.username("bob")],
        "owner": [alice],
        "username": [alice, store.username("bob"), store.username("banned")],
        "name": ["lamps", "lamps", "lamps", *names],
        "releases": releases,
        "screenshots": [str(file["id"])],
        "reviews": [str(number)],
        "comment": [str(said["comment"]["id"])],
        "reports": [str(report)],
        "id": ["1"],  # of a task
        "kind": ["title", "downloads"],
        "level": ["1", "2", "3", "4", "5"],
        "file": [file["url"].rpartition("/")[2]],
    }


def _fill_luadns(store: Store, client: Client) -> None:
    owner = store.identity("owner", "luadns")
    headers = {"Accept": "application/json", "Authorization": basic(owner.email, owner.secret)}
    name = f"{store.username('alice')}.test"
    zone = _ok(client.post("/v1/zones", json={"name": name}, headers=headers))["id"]
    records = (
        {"name": f"www.{name}.", "type": "A", "content": "192.0.2.1", "ttl": 300},
        {"name": f"{name}.", "type": "MX", "content": "10 mail.example.org.", "ttl": 300},
    )
    made = [_ok(client.post(f"/v1/zones/{zone}/records", json=record, headers=headers))["id"] for record in records]
    key = {"name": f"key.{name}", "scope": f"transfer:{name}"}
    tsig = _ok(client.post("/v1/tsig_keys", json=key, headers=headers))["name"]
    repository = {"repo_uri": "https://git.example.invalid/zones"}
    _ok(client.request("PUT", "/v1/repository", json=repository, headers=headers))
    build = _ok(client.post("/v1/builds", json={}, headers=headers))["id"]
    store.places["luadns"] = {
        "build_id": [str(build)],
        "zone_id": [str(zone)],
        "record_id": [str(each) for each in made],
        "tsig_key": [tsig],
    }


def _fill_hel(store: Store, client: Client) -> None:
    headers, alice = _bearer(store.identity("owner", "hel")), store.username("alice")
    name = f"thing{store.number}"
    assert client.post("/packages", json=package(name, owners=[alice]), headers=headers).status in (201, 204)
    file = _ok(client.post("/hel/files", query="name=x.lua", body=b"print(1)", headers=headers))["data"]
    store.places["hel"] = {
        "owner": [name],
        "nick": [alice, store.username("bob")],
        "sha256": [file["url"].split("/")[-2]],
        "name": ["x.lua"],
    }


def _fill_account(store: Store, client: Client) -> None:
    secret = store.identity("administrator", SESSION).secret
    headers = {"Cookie": f"moonbase_session={secret}", csrf.HEADER: csrf.token_for(secret)}
    _ok(client.post("/account/api/invitations", json={"rank": "MEMBER", "comment": "x"}, headers=headers))
    invitation = _ok(client.get("/account/api/invitations", headers=headers))["invitations"][-1]["id"]
    alice = accounts.get(int(store.accounts["alice"].id))
    ids = [str(each.id) for each in credentials.list_credentials(alice)]
    confirm = credentials.create(alice, "confirm-address", bound_to=credentials.hash_of(alice.email))[1]
    unsubscribe = unsubscribing.path_for(int(alice.id), "key.created").removeprefix(unsubscribing.PATH)
    feed = _ok(client.post("/account/api/notifications/feed", headers=_bearer(store.identity("owner", SESSION))))
    store.places["account"] = {
        "id": [*ids, str(invitation)],
        "server": ["git.example.org:22"],
        "username": [store.username("bob"), store.username("newbie")],
        "page": ["profile", "token"],
        "notifications": [each.sk for each in islice(inbox.entries(alice), 3)],
        "token": [confirm, unsubscribe, "x" * 40],
        "secret": [feed["url"].rpartition("/")[2]],
    }


def _bearer(identity: Identity) -> dict[str, str]:
    return {"Authorization": f"Bearer {identity.secret}"}
