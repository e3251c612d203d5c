"""The tree of paths: it finds nodes by API Gateway's rules, and rejects paths that API Gateway does not support."""

from collections.abc import Mapping

import pytest

from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, declare
from chalicelib.web.routing import Tree


def snapshot(request: Request) -> Response:
    return Response()


def tree(*paths: str, owners: Mapping[str, str] = {"/": "root"}) -> Tree[str]:
    """Return a tree with a GET route at each path, which belongs to the nearest owner."""
    grown: Tree[str] = Tree()
    for path, owner in owners.items():
        grown.own(path, owner)
    for path in paths:
        owner = grown.find(tuple(path.strip("/").split("/")) if path != "/" else ())[0]
        assert owner is not None
        grown.add(declare("GET", path, snapshot, ANONYMOUS), owner)
    return grown


def found(grown: Tree[str], *segments: str) -> tuple[str | None, str | None, dict[str, str]]:
    """Return the owner of a path, the node's template, and the path parameters."""
    owner, node, params = grown.find(segments)
    return owner, node.path if node else None, dict(params)


def test_the_root_is_a_node() -> None:
    assert found(tree("/")) == ("root", "/", {})


def test_a_fixed_path_is_found_by_its_segments() -> None:
    assert found(tree("/api/version"), "api", "version") == ("root", "/api/version", {})


def test_parameters_have_their_names() -> None:
    grown = tree("/users/{user}/files/{file}")
    assert found(grown, "users", "a/b", "files", "ü ") == (
        "root",
        "/users/{user}/files/{file}",
        {"user": "a/b", "file": "ü "},
    )


def test_a_fixed_name_comes_before_a_variable_one() -> None:
    grown = tree("/users/{user}", "/users/me")
    assert [found(grown, "users", name)[1] for name in ("me", "Me", "{user}")] == [
        "/users/me",
        "/users/{user}",
        "/users/{user}",
    ]


def test_there_is_no_backtracking_from_a_fixed_name() -> None:
    grown = tree("/users/me/keys", "/users/{user}/files")
    assert found(grown, "users", "me", "files") == ("root", None, {})


@pytest.mark.parametrize("segments", [("api",), ("api", "version", "more"), ("other",), ("API", "version"), ()])
def test_a_path_without_routes_has_no_node(segments: tuple[str, ...]) -> None:
    assert found(tree("/api/version"), *segments) == ("root", None, {})


def test_the_deepest_owner_answers_with_and_without_a_route() -> None:
    grown = tree(owners={"/": "root", "/a": "a", "/a/{x}/b": "b"})
    paths = [(), ("z",), ("a",), ("a", "1"), ("a", "1", "c"), ("a", "1", "b"), ("a", "1", "b", "deep", "down")]
    assert [found(grown, *path)[0] for path in paths] == ["root", "root", "a", "a", "a", "b", "b"]


def test_a_path_can_have_no_owner() -> None:
    assert found(tree(owners={"/a": "a"}), "b") == (None, None, {})


def test_a_route_must_be_below_its_owner_s_path() -> None:
    grown = tree(owners={"/": "root", "/a": "a"})
    for path, owner in (("/a/b", "root"), ("/b", "a"), ("/", "a")):
        with pytest.raises(ValueError, match=f"^{path} belongs to another owner"):
            grown.add(declare("GET", path, snapshot, ANONYMOUS), owner)


def test_a_route_is_declared_once() -> None:
    grown = tree("/a")
    grown.add(declare("POST", "/a", snapshot, ANONYMOUS), "root")
    with pytest.raises(ValueError, match=r"^GET /a is declared twice"):
        grown.add(declare("GET", "/a", snapshot, ANONYMOUS), "root")


def test_siblings_share_one_variable_name() -> None:
    grown = tree("/users/{user}/files")
    with pytest.raises(ValueError, match=r"its sibling is called \{user\}"):
        grown.add(declare("GET", "/users/{name}/keys", snapshot, ANONYMOUS), "root")


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "a/b", "/a/", "//", "/a//b", "/a b", "/ü", "/a\n", "/a?b", "/a%20b"),
        *("/{a", "/a}", "/{}", "/x{a}", "/{a}x", "/{a+}", "/{proxy+}", "/{a-b}"),
    ],
)
def test_a_path_that_api_gateway_or_chalice_does_not_support_is_rejected(path: str) -> None:
    grown: Tree[str] = Tree()
    with pytest.raises(ValueError, match="not a path that can be declared"):
        grown.own(path, "root")


@pytest.mark.parametrize("path", ["/", "/a", "/a.json", "/a-b_c", "/v1:x", "/{a}", "/{a_1}/b/{c}"])
def test_other_paths_are_accepted(path: str) -> None:
    assert [node.path for node in tree(path).nodes()] == [path]


def test_every_node_with_routes_is_listed_once() -> None:
    grown = tree("/", "/a/{x}/b", "/a", "/a/c")
    assert sorted(node.path for node in grown.nodes()) == ["/", "/a", "/a/c", "/a/{x}/b"]


@pytest.mark.parametrize(
    ("declared", "answered"),
    [
        (["GET"], ["GET", "HEAD", "OPTIONS"]),
        (["POST"], ["OPTIONS", "POST"]),
        (["PUT", "GET", "DELETE"], ["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]),
    ],
)
def test_get_implies_head_and_options_is_always_supported(declared: list[str], answered: list[str]) -> None:
    grown = tree()
    for method in declared:
        grown.add(declare(method, "/a", snapshot, ANONYMOUS), "root")
    (node,) = grown.nodes()
    assert node.methods == answered
