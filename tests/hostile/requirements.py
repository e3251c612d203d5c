"""What the declaration of a route means for each kind of credential: an independent reading of its requirements.

A scheme or permission that is not listed here is unknown, and fails the matrix: a new one needs its meaning first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.web.route import Route
from tests.hostile.identities import SESSION, Identity

DEAD = ("garbage", "expired", "revoked", "suspended", "ended")  # no service accepts these
SCOPED = ("scope of the object", "scope of another object")  # a scope of the kind of the service
RANKS = {"administrator": "ADMIN", "unproved administrator": "ADMIN", "moderator": "MODERATOR", "banned": "BANNED"}


@dataclass(frozen=True)
class Meaning:
    """How a scheme reads credentials: which service's keys at each door, and what becomes of others.

    `required`: without a credential the request is refused. `strict`: an invalid credential is refused; otherwise the
    caller counts as unknown. `without`: kinds of live credentials that the scheme refuses.
    """

    doors: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    strict: bool = False
    without: tuple[str, ...] = ()


_OPEN = Meaning()
_HEL = {"bearer": "hel", "cookie": SESSION}
SCHEMES: dict[tuple[str, str], Meaning] = {
    ("luarocks", "key"): Meaning({"path": "luarocks", "bearer": "luarocks"}, required=True, strict=True),
    ("luarocks", "key, if reads are private"): _OPEN,
    ("contentdb", "token"): Meaning({"bearer": "contentdb"}, required=True, strict=True, without=("banned",)),
    ("contentdb", "token or none"): Meaning({"bearer": "contentdb"}, strict=True, without=("banned",)),
    ("contentdb", "token for pending ones"): _OPEN,  # the matrix does not ask for pending ones
    ("luadns", "e-mail address and key, for text"): Meaning(
        {"basic": "luadns"}, required=True, strict=True, without=("API disabled",)
    ),
    ("luadns", "e-mail address and key"): Meaning(
        {"basic": "luadns"}, required=True, strict=True, without=("API disabled",)
    ),
    ("luadns", "key in the path"): Meaning({"path": "luadns"}, required=True, strict=True, without=("API disabled",)),
    ("hel", "session or none"): Meaning({"cookie": SESSION}),
    ("hel", "key, session or none"): Meaning(_HEL),
    ("account", "session"): Meaning({"cookie": SESSION, "bearer": SESSION}, required=True, strict=True),
    ("account", "anonymous, from this site"): _OPEN,
    ("account", "link with a secret"): _OPEN,
    ("home", "id of an upload slot, in the query"): _OPEN,  # the matrix names an open one
    **{(service, "anonymous"): _OPEN for service in ("luarocks", "contentdb", "hel", "account", "log", "home")},
}
PRIVATE_READS = Meaning({"bearer": "luarocks", "basic": "luarocks"}, required=True, strict=True)

# Permissions that are checked before the handler: the kinds that pass, by the rank or by a relation.
_MEMBERS = ("list_files", "store_file", "delete_file", "create_package", "update_package", "delete_package")
_ADMINS = ("create_user", "delete_user")
# Permissions that the rules check, on items that the operation reads anyway.
BY_RULES = (
    *("own", "any", "owner of the module", "holder of the module", "holder of the module, or the owner in the path"),
    *("admin of the manifest", "admin of the manifest, or owner of the module", "owner of the zone", "approver"),
    *("admin of the manifest; owner of the module, if the manifest is open", "any; a private one: its author"),
    *(
        "any; a pending one: its author, or approver",
        "any; pending ones: approver",
        "author of the review, or moderator",
    ),
    *(
        "author of the collection, or editor",
        "new member, not a maintainer",
        "new member, not the author of the review",
    ),
    *("the author in the path, or approver", "the user in the path, or moderator", "package: add screenshots"),
    *("package: approve", "package: delete", "package: edit", "package: edit aliases", "package: edit maintainers"),
    *("maintainer of the package, or approver", "new member, who can see the review", "new member", "editor"),
    *("author of the comment, or moderator", "author of the report, or editor"),
    "author of the review, maintainer of the package, or approver",
    *("package: make release", "package: unapprove", "package: approve screenshot"),
)
# The others: checks before the handler decide all, and the matrix has an identity of each side.
BEFORE_HANDLERS = (
    *("ADMIN", "ADMIN or MODERATOR", "list_files: own", "store_file: any user", "create_package: any user"),
    *("create_user: admin", "delete_user: admin", "update_user: the user in the path, or admin"),
    "get_user: the user in the path, or admin; browsers get the public page",
)
# Of those by rules, the ones that a stranger lacks on everything that belongs to another account.
OF_OTHERS = tuple(
    name for name in BY_RULES if name not in ("own", "any") and not name.startswith(("any;", "new member"))
) + tuple(f"{name}: owner of the {name.partition('_')[2]}, or admin" for name in _MEMBERS)


class Unknown(Exception):
    """The meaning of a requirement is not known."""


def reaches(service: str, route: Route, door: str, identity: Identity | None, meaning: Meaning | None = None) -> bool:
    """Whether the handler of a route is called for a credential. Raises Unknown."""
    meaning = meaning or SCHEMES.get((service, route.credential.name))
    if meaning is None:
        raise Unknown(f"scheme {route.credential.name}")
    known = _permission_of(route)
    caller = _caller(meaning, door, identity)
    if caller is None and (meaning.required or (identity and meaning.strict and door in meaning.doors)):
        return False
    if not meaning.doors:
        return True
    return known(route, caller) and (caller is None or (_scope_covers(route, caller) and _is_proved(route, caller)))


def _caller(meaning: Meaning, door: str, identity: Identity | None) -> Identity | None:
    if identity is None or identity.kind in (*DEAD, *meaning.without):
        return None
    return identity if meaning.doors.get(door) == identity.service else None


def _scope_covers(route: Route, caller: Identity) -> bool:
    needed = route.scope
    if needed == "read" or needed is None:
        return True
    if caller.kind == "banned" or caller.kind == "read-only scope":
        return False
    return needed.endswith(":") or caller.kind not in SCOPED


def _is_proved(route: Route, caller: Identity) -> bool:
    factor = route.second_factor
    if factor is None or factor.check is None:
        return True
    if factor.name == "upload token":
        return caller.kind != "second factor"
    if factor.name == "upload token; recent code of two-factor, for manifests of others":
        return caller.kind not in ("second factor", "unproved administrator")
    if factor.name.startswith("recent code of two-factor"):  # the paths of the matrix name objects of the owner
        return caller.kind != "unproved administrator"
    raise Unknown(f"second factor {factor.name}")


def _permission_of(route: Route) -> "_Check":
    permission = route.permission
    if permission is None:
        if not route.credential.anonymous:
            raise Unknown("no permission")
        return _anyone
    action = permission.name.partition(":")[0]
    if permission.name in BY_RULES:
        return _anyone
    if permission.name in ("ADMIN", "ADMIN or MODERATOR"):
        return _ranked
    if action in _MEMBERS:
        return _member
    if action in _ADMINS:
        return _hel_admin
    if action in ("get_user", "update_user"):
        return _user_in_path
    raise Unknown(f"permission {permission.name}")


def _anyone(route: Route, caller: Identity | None) -> bool:
    return True


def _ranked(route: Route, caller: Identity | None) -> bool:
    assert route.permission
    return caller is not None and RANKS.get(caller.kind) in route.permission.name.split(" or ")


def _member(route: Route, caller: Identity | None) -> bool:
    return caller is not None and caller.kind != "banned"


def _hel_admin(route: Route, caller: Identity | None) -> bool:
    return caller is not None and caller.kind == "administrator" and caller.service == SESSION


def _user_in_path(route: Route, caller: Identity | None) -> bool:
    """The owner is the user in the matrix's paths; another account needs a recent proof to change one."""
    if caller is None or caller.kind == "banned":
        return False
    own = caller.kind in ("owner", "read-only scope", *SCOPED)
    if route.method == "GET":
        return own or RANKS.get(caller.kind) == "ADMIN"
    return caller.service == SESSION and (own or caller.kind == "administrator")


_Check = type(_anyone)
