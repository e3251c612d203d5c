"""API Gateway's tree of resources: its rules, which CloudFormation enforces and Chalice does not check."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import app
from chalicelib.web.site import ALL_METHODS

LARGEST_TREE = 300  # resources of one API, unless AWS raises it


@pytest.fixture
def paths(packaged: Path) -> dict[str, dict[str, Any]]:
    """Methods by path, as the template declares them."""
    template = json.loads((packaged / "sam.json").read_text())
    declared: dict[str, dict[str, Any]] = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
    return declared


def test_every_level_has_one_variable_name(paths: dict[str, Any]) -> None:
    names: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        parent = ""
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                names[parent].add(segment)
            parent += f"/{segment}"
    assert {parent: found for parent, found in names.items() if len(found) > 1} == {}


def test_no_path_ends_with_a_slash(paths: dict[str, Any]) -> None:
    assert [path for path in paths if path.endswith("/") and path != "/"] == []


def test_the_tree_is_not_too_large(paths: dict[str, Any]) -> None:
    resources = {path[:end] for path in paths for end in range(1, len(path) + 1) if path[end : end + 1] in ("", "/")}
    assert len(resources) < LARGEST_TREE


@pytest.mark.parametrize("path", ["/", "/{proxy+}"])
def test_the_root_accepts_all_methods(paths: dict[str, Any], path: str) -> None:
    assert sorted(paths[path]) == sorted(method.lower() for method in ALL_METHODS)
    assert len(paths[path]) == 7


def test_nothing_else_is_greedy(paths: dict[str, Any]) -> None:
    assert [path for path in paths if "+}" in path] == ["/{proxy+}"]


def test_every_route_is_declared_with_its_own_methods_only(paths: dict[str, Any]) -> None:
    roots = {"/", "/{proxy+}"}
    declared = {path: {method.upper() for method in methods} for path, methods in paths.items() if path not in roots}
    places = {place.path: set(place.methods) for place in app.site.tree.nodes()}
    root_files = {path for path in places if path == "/" or (path.startswith("/{") and path.count("/") == 1)}
    pages = {place.path for place in app.site.tree.nodes() if place.is_page}
    assert declared == {path: methods for path, methods in places.items() if path not in root_files | pages}


def test_pages_have_no_resource_of_their_own(paths: dict[str, Any]) -> None:
    pages = {place.path for place in app.site.tree.nodes() if place.is_page}
    assert {"/account", "/account/keys", "/settings", "/packages/{owner}/{name}"} <= pages
    assert pages & set(paths) == set()
