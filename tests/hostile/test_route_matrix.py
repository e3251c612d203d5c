"""Every route with every kind of credential: the handler is called exactly if the route's declaration allows it."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from app import SLICES
from chalicelib import settings
from chalicelib.contentdb.store.tables import ContentDbItem
from chalicelib.hel.tables import HelItem
from chalicelib.luadns.tables import LuaDnsItem
from chalicelib.luarocks.tables import LuaRocksItem
from chalicelib.web.bodies import SMALL
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANY, Permission, Route, Scheme, declare
from chalicelib.web.site import Site
from chalicelib.web.slice import Slice
from tests.client import own_event
from tests.hostile import generator, requirements
from tests.hostile import store as stores
from tests.hostile.identities import KEYS, SESSION, Identity, doors, present
from tests.hostile.requirements import Unknown, reaches
from tests.hostile.store import Store
from tests.worlds import world

SERVICES = ("luarocks", "contentdb", "luadns", "hel", "account", "log", "home")
LEAST_CELLS = 7000
REFUSED = (400, 401, 403, 404)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with world("embedded", tmp_path_factory.mktemp("matrix")), settings.override(**stores.SETTINGS):
        yield stores.fill()


def probed() -> Site:
    """The site with its real requirements, whose handlers only say that they were reached."""

    def reached(request: Request, caller: Any = None) -> Response:
        return Response(200, b"reached")

    slices = []
    for each in SLICES:
        if isinstance(each, Slice):
            service = copy.copy(each.service)
            service.routes = [replace(route, handler=reached) for route in each.service.routes]
            slices.append(replace(each, service=service))
    return Site(slices)


def identities(store: Store, service: str, door: str) -> list[Identity | None]:
    """All credentials of the kind that belongs to the door, and one live one of every other kind."""
    own = SESSION if door == "cookie" or service == "account" else service
    others = [store.identity("owner", each) for each in (*KEYS, SESSION) if each != own]
    return [None, *store.identities.get(own, ()), *others, store.identity("administrator", SESSION)]


def address(store: Store, service: str, route: Route, key: str) -> str:
    """The path of a route with the owner's objects in it."""
    parts: list[str] = []
    for part in route.path.split("/"):
        name = parts[-1] if part == "{id}" and parts[-1] in store.places[service] else part[1:-1]
        chosen = key if part == "{key}" else store.places[service][name][0] if part.startswith("{") else part
        parts.append(quote(chosen, safe=""))
    return "/".join(parts)


def verdict(site: Site, method: str, path: str, query: str, headers: Any) -> tuple[bool, int]:
    """Whether the handler was reached, and the status; a refusal must need no body, or the token in a small form."""
    admission = site.admit(own_event(method, path, query, headers))
    if admission.refusal:
        return False, int(admission.refusal.status)
    limit = admission.limit
    response = admission.answer(b"")
    reached = response.body == b"reached"
    assert reached or limit <= SMALL, "a refusal after a large body"
    return reached, int(response.status)


Cell = tuple[str, Route, str, Identity | None]


def cells(store: Store, services: tuple[str, ...] = SERVICES) -> Iterator[Cell]:
    for service, route in generator.routes():
        if service in services:
            for door in doors(service):
                for identity in identities(store, service, door):
                    yield service, route, door, identity


def wrong(store: Store, cell: Cell, site: Site, expect: Callable[..., bool] = reaches) -> str | None:
    """The difference between the declaration and the verdict of a cell; None if they agree."""
    service, route, door, identity = cell
    shown = present(identity, service, door)
    query = f"slot={store.slots[0]}" if route.path == "/upload-slots" else ""
    found, status = verdict(site, route.method, address(store, service, route, shown.key), query, shown.headers)
    name = f"{service}: {route.method} {route.path}, {identity.kind if identity else 'nothing'} by {door}"
    if identity:
        name += f" ({identity.service})"
    if not found and status not in REFUSED:
        return f"{name}: status {status}"
    try:
        expected = expect(service, route, door, identity)
    except Unknown as error:
        return f"{name}: {error}"
    return None if found == expected else f"{name}: {'reached' if found else f'refused with {status}'}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_handler_is_reached_exactly_with_the_declared_requirements(store: Store, service: str) -> None:
    site = probed()
    assert [text for cell in cells(store, (service,)) if (text := wrong(store, cell, site))] == []


def test_the_matrix_has_all_routes_and_credentials(
    store: Store, record_testsuite_property: Callable[[str, object], None]
) -> None:
    every = list(cells(store))
    record_testsuite_property("cells", len(every))
    assert len(every) >= LEAST_CELLS
    assert {(service, route.method, route.path) for service, route, _, _ in every} == {
        (service, route.method, route.path) for service, route in generator.routes()
    }


def test_private_reads_need_a_key_on_every_route_that_can_be_private(store: Store) -> None:
    def expect(service: str, route: Route, door: str, identity: Identity | None) -> bool:
        return reaches(service, route, door, identity, requirements.PRIVATE_READS)

    site = probed()
    routes = [route for _, route in generator.routes() if route.credential.name == "key, if reads are private"]
    with settings.override(luarocks_reads="key"):
        found = [
            wrong(store, ("luarocks", route, door, identity), site, expect)
            for route in routes
            for door in ("bearer", "basic")
            for identity in identities(store, "luarocks", door)
        ]
    assert (len(routes), [text for text in found if text]) == (24, [])


@pytest.mark.parametrize(
    ("credential", "permission", "problem"),
    [
        (Scheme("a new way", lambda request: None), ANY, "scheme a new way"),
        (Scheme("key", lambda request: None), Permission("a new relation"), "permission a new relation"),
    ],
)
def test_a_requirement_without_a_known_meaning_fails_the_matrix(
    credential: Scheme, permission: Permission, problem: str
) -> None:
    route = declare("GET", "/new", lambda: None, credential, permission=permission)
    with pytest.raises(Unknown, match=problem):
        reaches("luarocks", route, "bearer", None)


def stored() -> list[str]:
    """All items of the services."""
    models = (LuaRocksItem, ContentDbItem, LuaDnsItem, HelItem)
    return sorted(repr(sorted(item.to_dynamodb_dict().items())) for model in models for item in model.scan())
