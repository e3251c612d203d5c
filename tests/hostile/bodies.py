"""Bodies of requests: plausible ones for each route, and what becomes of them in the hands of an attacker."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlencode

from chalicelib.account import openapi
from tests.client import multipart
from tests.hel.builders import package
from tests.hostile import values
from tests.hostile.store import PASSWORD, Store
from tests.luarocks.builders import rock, rockspec


@dataclass(frozen=True)
class Form:
    """A form; with files it is multipart."""

    fields: dict[str, Any]
    files: dict[str, tuple[str, bytes]] | None = None


@dataclass(frozen=True)
class Raw:
    """Bytes with their content type."""

    content: bytes
    type: str


Body = Raw | Form | Any  # else the value of a JSON body
Make = Callable[[Random, Store], Body]


def plausible(random: Random, store: Store, method: str, path: str) -> Body:
    """A body that the route at a path can accept."""
    if path.startswith("/account/api/"):
        return _account(random, store, method, path)
    make = _BODIES.get((method, path))
    if make is None:
        make = next((of for suffix, of in _ENDINGS.items() if path.endswith(suffix)), _anything)
    return make(random, store)


def hostile(random: Random, body: Body) -> Body:
    """The body with one to three values replaced by hostile ones, or fields added and removed."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        body = _mutated(random, body)
    return body


def arbitrary(random: Random, store: Store) -> Body:
    """A body of any type that has nothing to do with the route."""
    kind = random.random()
    if kind < 0.3:
        return values.value(random)
    if kind < 0.5:
        return Form({random.choice(_NAMES): values.text(random) for _ in range(4)})
    if kind < 0.75:
        fields = {random.choice(_NAMES): values.text(random) for _ in range(2)}
        files = {random.choice(_FILES): (values.text(random), random.choice(values.FILES)) for _ in range(2)}
        return Form(fields, files)
    return Raw(values.garbage(random), random.choice(values.TYPES))


def encode(body: Body) -> tuple[bytes, str]:
    """The bytes of a body, and their content type."""
    if isinstance(body, Raw):
        return body.content, body.type
    if isinstance(body, Form):
        fields = {name: str(value) for name, value in body.fields.items()}
        if body.files is None:
            return urlencode(fields, errors="surrogatepass").encode(), "application/x-www-form-urlencoded"
        return multipart(fields, body.files), "multipart/form-data; boundary=BoundaryQ"
    return json.dumps(body).encode(), "application/json"


def _mutated(random: Random, body: Body) -> Body:
    if isinstance(body, Raw):
        content = bytearray(body.content)
        if content:
            at = random.randrange(len(content))
            content[at : at + random.choice((0, 1, 9))] = values.garbage(random)[:2000]
        return Raw(bytes(content), body.type)
    if isinstance(body, Form):
        fields = _changed(random, body.fields) if body.fields else {values.text(random): values.text(random)}
        files = {
            name: (values.text(random) if random.random() < 0.2 else filename, random.choice((content, *values.FILES)))
            for name, (filename, content) in (body.files or {}).items()
        }
        return Form(fields, files or body.files)
    if isinstance(body, list) and len(body) < 50 and random.random() < 0.1:
        return body * 200
    return _changed(random, body)


def _changed(random: Random, value: Any) -> Any:
    """A copy of a JSON value with one hostile change somewhere in it."""
    if isinstance(value, Mapping) and value:
        name = random.choice(list(value))
        if random.random() < 0.1:
            return {other: kept for other, kept in value.items() if other != name}
        if random.random() < 0.1:
            return {**value, values.text(random): values.value(random)}
        return {**value, name: _changed(random, value[name])}
    if isinstance(value, list) and value and random.random() < 0.7:
        at = random.randrange(len(value))
        return [*value[:at], _changed(random, value[at]), *value[at + 1 :]]
    return values.value(random)


def _package_fields(random: Random, store: Store) -> Body:
    fields = {
        "title": "Lamps that glow",
        "short_description": "Some lamps.",
        "long_description": "# Lamps\n\n* one\n* [two](https://example.org)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "tags": ["decorative", "building"],
        "license": "MIT",
        "media_license": "CC-BY-SA-4.0",
        "repo": "https://example.org/lamps.git",
        "website": "https://example.org",
        "forums": 12345,
        "video_url": "https://www.youtube.com/watch?v=abcdefghijk",
        "content_warnings": [],
        "dev_state": "BETA",
        "game_support": [{"game": "game", "supports": True}],
        "type": "MOD",
        "name": "lamps",
    }
    return {name: fields[name] for name in random.sample(list(fields), random.randrange(1, 6))}


def _release(random: Random, store: Store) -> Body:
    if random.random() < 0.3:
        return {"title": "2.0", "method": "git", "ref": "master", "commit": "a" * 40}
    if random.random() < 0.2:
        return {"title": "2.0", "upload": random.choice(store.slots)}
    fields = {"title": "2.0", "name": "2.0", "release_notes": "*New*", "min_protocol": "5.0"}
    return Form(fields, {"file": ("lamps.zip", random.choice(values.FILES))})


def _screenshot(random: Random, store: Store) -> Body:
    return Form({"title": "A view", "is_cover_image": "true"}, {"file": ("x.png", random.choice(values.FILES))})


def _collection(random: Random, store: Store) -> Body:
    alice = store.username("alice")
    items = [{"package": f"{alice}/lamps", "description": "Bright"}, f"{alice}/doors"]
    return {"title": "Lamps", "short_description": "All", "long_description": "*x*", "private": False, "items": items}


def _record(random: Random, store: Store) -> dict[str, Any]:
    domain = f"{store.username('alice')}.test."
    kind = random.choice(list(_CONTENTS))
    name = f"{random.choice(('www', 'a', '*', 'x.y', '_sip._tcp'))}.{domain}"
    return {"name": name, "type": kind, "content": _CONTENTS[kind], "ttl": random.choice((60, 300, 86400))}


def _records(random: Random, store: Store) -> Body:
    return [_record(random, store) for _ in range(random.choice((1, 2, 5, 40)))]


def _changes(random: Random, store: Store) -> Body:
    return {"create": _records(random, store), "delete": [_record(random, store)], "records": _records(random, store)}


def _zone(random: Random, store: Store) -> Body:
    name = (
        f"{random.choice(('a', 'b', 'xn--d1acufc', 'deep.sub'))}{random.randrange(50)}.{store.username('alice')}.test"
    )
    more = {"records": _records(random, store)} if random.random() < 0.5 else {}
    return {"name": name, "tags": ["x"], **more}


def _zone_file(random: Random, store: Store) -> Body:
    domain = f"{store.username('alice')}.test."
    text = f'$ORIGIN {domain}\n$TTL 300\n@ IN MX 10 mx.{domain}\nwww 60 IN A 192.0.2.1\nt IN TXT ("a" ; x\n "b")\n'
    return random.choice((Raw(text.encode(), "text/dns"), {"zonefile": text}, {"content": text}))


def _hel_package(random: Random, store: Store) -> Body:
    return package(f"new{random.randrange(100)}")


def _hel_changes(random: Random, store: Store) -> Body:
    whole = package(f"thing{store.number}", owners=[store.username("alice")])
    return {name: whole[name] for name in random.sample(list(whole), random.randrange(1, 5))}


def _hel_user(random: Random, store: Store) -> Body:
    nick = f"n{random.randrange(10**6)}"
    password = "a password"
    return random.choice(
        (
            {"nickname": nick, "email": f"{nick}@example.org", "password": password},
            {"groups": ["admins"]},
            {"password": password, "current_password": PASSWORD},
            {"nickname": nick, "groups": ["banned"]},
        )
    )


def _hel_auth(random: Random, store: Store) -> Body:
    nick = store.username(random.choice(("alice", "bob", "tom", "eve", "nobody")))
    mail = {"email": f"n{random.randrange(10**6)}@example.org"}
    return {"action": random.choice(("log-in", "log-out", "register")), "nickname": nick, "password": "wrong", **mail}


def _account_form(random: Random, store: Store) -> Body:
    actions = ("create", "revoke", "revoke-all", "begin", "confirm", "disable", "email", "password", "rank", "suspend")
    actions += ("channels", "feed", "read", "delete", "request", "set", "confirmation")
    fields = {
        "action": random.choice(actions),
        "id": random.choice(store.places["account"]["id"]),
        "service": random.choice(("luarocks", "contentdb", "hel", "luadns")),
        "username": store.username("bob"),
        "password": "wrong password",
        "code": "000000",
        "may": "all",
        "name": "say",
        "rank": "MEMBER",
        "comment": "x",
        "next": "/account/keys",
    }
    return Form({name: fields[name] for name in ("action", *random.sample(list(fields), 6))})


def _account(random: Random, store: Store, method: str, path: str) -> Body:
    """The fields that the OpenAPI document declares, with values of the right types."""
    name = f"u{random.randrange(10**6)}"
    known: dict[str, Any] = {
        "username": name,
        "email": f"{name}@example.org",
        "password": "some password",
        "code": "000000",
        "service": "luarocks",
        "scope": "read",
        "expires_in_days": 30,
        "comment": "x",
        "rank": "MEMBER",
        "ticket": "x" * 40,
        "token": random.choice(store.places["account"]["token"]),
        "id": random.choice(store.places["account"]["notifications"]),
        "name": name,
        "kind": "key.created",
        "channel": "inbox",
        "url": "https://example.org/hook",
        "description": "x",
        "services": ["luarocks"],
        "kinds": [],
        "names": ["say*"],
        "actions": ["publish"],
        "delivery": "20260301T120000-1",
    }
    declared = openapi.document()["paths"].get(path, {}).get(method.lower(), {}).get("requestBody")
    if declared is None:
        return _anything(random, store)
    schema = declared["content"]["application/json"]["schema"]
    fields = schema["properties"] if random.random() < 0.5 else schema["required"]
    return {field: known.get(field, random.choice((True, False))) for field in fields}


def _anything(random: Random, store: Store) -> Body:
    return {name: values.value(random) for name in random.sample(_NAMES, 3)}


def _json(*choices: Any) -> Make:
    return lambda random, store: random.choice(choices)


def _form(**fields: Any) -> Make:
    return lambda random, store: Form(dict(fields))


def _rockspec(random: Random, store: Store) -> Body:
    version = f"{random.randrange(4)}.{random.randrange(4)}-1"
    file = random.choice((rockspec(random.choice(("say", "new-thing")), version), random.choice(values.FILES)))
    return Form({}, {"rockspec_file": ("x.rockspec", file)})


def _rock(random: Random, store: Store) -> Body:
    if random.random() < 0.1:
        return Form({"upload": random.choice(store.slots), "filename": "say-1.0-1.src.rock"})
    file = random.choice((rock("say", "1.0-1"), random.choice(values.FILES)))
    return Form({}, {"rock_file": (random.choice(("say-1.0-1.all.rock", "say-1.1-1.src.rock")), file)})


_CONTENTS = {
    "A": "192.0.2.9",
    "AAAA": "2001:db8::1",
    "CNAME": "x.example.org.",
    "MX": "10 mx.example.org.",
    "TXT": "v=spf1 -all",
    "SRV": "0 5 5060 sip.example.org.",
    "CAA": '0 issue "ca.example.org"',
    "ALIAS": "x.example.org.",
    "NS": "ns.x.test.",
    "REDIRECT": "https://example.org",
    "FORWARD": "a@example.org",
    "PTR": "x.example.org.",
    "SSHFP": "1 1 " + "ab" * 20,
    "TLSA": "3 1 1 " + "ab" * 32,
    "DS": "1 8 2 " + "ab" * 32,
    "SPF": "v=spf1 -all",
    "URI": '10 1 "https://x"',
    "LOC": "x",
}


def _hook(random: Random, store: Store) -> Body:
    """A push as a Git host reports it."""
    where = {"full_name": "a/b", "html_url": "https://example.org/a/b", "web_url": "https://example.org/a/b"}
    ref = random.choice(("refs/heads/main", "refs/tags/v1", "v1"))
    return {
        "event_name": random.choice(("push", "tag_push")),
        "ref": ref,
        "after": random.choice(("0" * 40, "a" * 40, "x")),
        "checkout_sha": "b" * 40,
        "ref_type": "tag",
        "repository": where,
        "project": where,
    }


_API = "/api/1/{key}"
_PACKAGE = "/api/packages/{author}/{name}"
_BODIES: dict[tuple[str, str], Make] = {
    **{(method, f"{_API}/upload"): _rockspec for method in ("POST", "PUT", "PATCH")},
    **{(method, f"{_API}/upload_rock/{{version_id}}"): _rock for method in ("POST", "PUT", "PATCH")},
    **{(method, f"{_API}/verify_tfa"): _form(code="000000") for method in ("POST", "PUT", "PATCH", "DELETE")},
    ("POST", f"{_API}/upload_window"): _form(code="000000", minutes=5),
    ("POST", f"{_API}/modules/{{user}}/{{module}}/transfer"): lambda random, store: {"to": store.username("bob")},
    ("PATCH", f"{_API}/modules/{{user}}/{{module}}"): _json({"labels": ["x"], "display_name": "Say", "summary": "S"}),
    ("PATCH", f"{_API}/modules/{{user}}/{{module}}/versions/{{version}}"): _json(
        {"archived": True}, {"development": False}
    ),
    ("POST", _PACKAGE): _package_fields,
    ("PUT", _PACKAGE): _package_fields,
    ("PUT", f"{_PACKAGE}/aliases"): lambda random, store: [f"{store.username('alice')}/lights"],
    ("PUT", f"{_PACKAGE}/maintainers"): lambda random, store: [store.username("bob")],
    ("PUT", f"{_PACKAGE}/reviews"): _json(
        {"title": "Good indeed", "comment": "I *like* it", "rating": 5, "language": "en"}
    ),
    ("POST", f"{_PACKAGE}/screenshots/order"): lambda random, store: list(store.places["contentdb"]["id"]),
    ("POST", f"{_PACKAGE}/screenshots/cover-image"): lambda random, store: {
        "cover_image": store.places["contentdb"]["id"][0]
    },
    ("POST", "/api/markdown"): _json("# x\n\n**y** <b>z</b>", {"text": "*x*"}),
    ("POST", "/api/hypertext"): _json("<p>x <b>y</b></p>", {"text": "*x*"}),
    ("POST", "/api/installed_packages"): lambda random, store: [f"{store.username('alice')}/lamps"] * 3,
    **{
        ("POST", f"{_PACKAGE}/{path}"): _json({"reason": "Please *add* a licence."})
        for path in ("approve", "request-changes", "unapprove", "reviews/{id}/refuse", "screenshots/{id}/refuse")
    },
    **{
        (method, f"{_PACKAGE}/{path}"): _json(body)
        for path in ("comments", "reviews/{id}/comments")
        for method, body in (("POST", {"comment": "I *agree*."}), ("PUT", {"closed": False}))
    },
    ("POST", "/api/reports"): _json(
        {"category": "spam", "title": "Too many links", "message": "In each review.", "url": "https://example.org"}
    ),
    ("POST", "/api/reports/{id}/close"): _json({"outcome": "no_action", "reason": "Not that bad."}),
    **{("POST", f"/{host}/webhook"): _hook for host in ("github", "gitea", "forgejo", "gitlab")},
    ("PUT", f"{_PACKAGE}/update-detection"): _json(
        {"trigger": "COMMIT", "ref": "main", "make_release": False}, {"trigger": "TAG"}, {}
    ),
    ("PUT", "/api/users/{username}"): _json(
        {"display_name": "Al", "website_url": "https://example.org", "connections": {"github": "x", "forums": None}}
    ),
    ("POST", "/v1/zones"): _zone,
    ("PUT", "/v1/zones/{zone_id}"): lambda random, store: {
        "name": f"{store.username('alice')}.test",
        "records": _records(random, store),
    },
    ("POST", "/v1/zones/{zone_id}/import"): _zone_file,
    ("PUT", "/v1/zones/{zone_id}/secondaries"): _json(
        [], [{"address": "192.0.2.1", "port": 53, "key": None, "notify": True}], [{"address": "2001:db8::/32"}]
    ),
    ("POST", "/v1/tsig_keys"): lambda random, store: {
        "name": f"k{random.randrange(100)}.{store.username('alice')}.test",
        "algorithm": random.choice(("hmac-sha256", "hmac-sha512", "hmac-md5")),
        "scope": f"{random.choice(('transfer', 'update', 'acme'))}:{store.username('alice')}.test",
    },
    ("PUT", "/v1/repository"): _json(
        {"repo_uri": "https://git.example.invalid/zones", "branch": "main"},
        {"repo_uri": "ssh://git@git.example.invalid/zones"},
        {"repo_uri": "file:///etc", "branch": "../x"},
    ),
    ("POST", "/v1/builds"): _json({}, {"prune": True, "adopt": True}, {"older": "yes"}),
    ("POST", "/v1/builds/{build_id}/retry"): _json({}, {"prune": True}),
    ("POST", "/v1/githooks/pre-commit"): lambda random, store: {
        "file": base64.b64encode(random.choice(values.FILES)).decode()
    },
    ("POST", "/v1/zones/{zone_id}/revert"): _json({"serial": 1}, {"serial": 2**31}, {"serial": -1}),
    ("PATCH", "/v1/zones/{zone_id}/records"): _changes,
    ("POST", "/v1/zones/{zone_id}/records"): _record,
    ("PUT", "/v1/zones/{zone_id}/records/{record_id}"): _record,
    ("POST", "/packages"): _hel_package,
    ("PATCH", "/packages/{owner}"): _hel_changes,
    ("POST", "/hel/files"): lambda random, store: Raw(random.choice(values.FILES), "application/octet-stream"),
    ("POST", "/upload-slots"): lambda random, store: Form({}, {"file": ("x", random.choice(values.FILES))}),
}
_ENDINGS: dict[str, Make] = {
    "/releases/new": _release,
    "/screenshots/new": _screenshot,
    "/collections/{author}/{name}": _collection,
    "/create_many": _records,
    "/delete_many": _records,
    "/votes": _json({"is_helpful": True}, {"is_helpful": False}, {"is_helpful": None}),
    "/auth": _hel_auth,
    "/users": _hel_user,
    "/users/{nick}": _hel_user,
    "/manifests/{manifest}": _json({"display_name": "Team", "description": "What we use", "is_open": True}),
}
for _page in ("", "/keys", "/log-in", "/log-out", "/invitations", "/password", "/people", "/people/{username}"):
    _BODIES["POST", f"/account{_page}"] = _account_form
for _page in ("/register", "/sessions", "/two-factor", "/notifications", "/notifications/settings"):
    _BODIES["POST", f"/account{_page}"] = _account_form
for _page in ("/forgotten-password", "/new-password/{token}", "/confirm/{token}", "/unsubscribe/{token}"):
    _BODIES["POST", f"/account{_page}"] = _account_form
_NAMES = (
    "title",
    "name",
    "id",
    "text",
    "file",
    "upload",
    "code",
    "password",
    "items",
    "records",
    "type",
    "content",
    "username",
)
_FILES = ("file", "rock_file", "rockspec_file", "rockspec_sig", "rock_sig", "a", "")
