"""Every permission that rules decide, with credentials that it allows and credentials that it refuses."""

from collections.abc import Iterator
from random import Random

import pytest

from chalicelib import settings
from tests.client import Client
from tests.hostile import bodies, generator, requirements
from tests.hostile import store as stores
from tests.hostile.identities import doors, present
from tests.hostile.relations import RELATIONS, Relation, Scene, send
from tests.hostile.test_route_matrix import REFUSED, address, stored
from tests.worlds import world


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with world("embedded", tmp_path_factory.mktemp("relations")), settings.override(**stores.SETTINGS):
        yield Scene(stores.fill(), Client())


def test_every_permission_has_its_relation() -> None:
    declared = {route.permission.name for _, route in generator.routes() if route.permission}
    known = {relation.permission for relation in RELATIONS}
    assert declared - known == set(requirements.BEFORE_HANDLERS)
    assert known - declared == set()
    assert all(relation.allowed and relation.refused for relation in RELATIONS)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.permission)
def test_a_permission_refuses_and_allows(scene: Scene, relation: Relation) -> None:
    relation.before(scene)
    before = stored()
    refused = {kind: send(scene, relation, kind).status for kind in relation.refused}
    assert refused == dict.fromkeys(relation.refused, relation.status)
    assert stored() == before
    for kind in relation.allowed:
        relation.before(scene)
        reply = send(scene, relation, kind)
        assert reply.status < 300, (kind, reply.body)


def test_nobody_whom_a_permission_refuses_changes_anything_by_any_of_its_routes(scene: Scene) -> None:
    random, accepted, before = Random(1), [], stored()
    refused = {relation.permission: relation.refused for relation in RELATIONS}
    for service, route in generator.routes():
        if not route.writes or not route.permission or route.permission.name not in requirements.OF_OTHERS:
            continue
        if route.path == "/api/1/{key}/upload":  # a module of the caller's, of any name
            continue
        for kind in refused[route.permission.name]:
            shown = present((kind and scene.store.identity(kind, service)) or None, service, doors(service)[0])
            content, type_ = bodies.encode(bodies.plausible(random, scene.store, route.method, route.path))
            path, headers = address(scene.store, service, route, shown.key), {"Content-Type": type_, **shown.headers}
            reply = scene.client.request(route.method, path, headers=headers, body=content)
            if reply.status not in (*REFUSED, 409):
                accepted.append((route.method, path, kind, reply.status, reply.body))
    assert accepted == []
    assert stored() == before


@pytest.mark.parametrize(
    "relation",
    [each for each in RELATIONS if "administrator" in each.allowed and each.by_rank],
    ids=lambda relation: relation.permission,
)
def test_an_act_that_only_the_rank_allows_needs_a_recent_code(scene: Scene, relation: Relation) -> None:
    relation.before(scene)
    before = stored()
    reply = send(scene, relation, "unproved administrator")
    assert (reply.status, "two-factor authentication" in reply.body.decode()) == (403, True)
    assert stored() == before
