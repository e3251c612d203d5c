"""The walls between packages and rooms: the imports that each of them can have."""

import ast
import importlib.util
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.parent.name for path in (ROOT / "chalicelib").glob("*/routes.py"))
PACKAGES = ("app", "bench", "chalicelib", "commands", "infra", "standalone", "tests")
ALLOWED_IN_WEB = tuple(f"chalicelib.core.{name}" for name in ("errors", "caller", "declaration", "registry"))


@cache
def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def files(package: str) -> list[Path]:
    """Return the modules of a top-level package, or the module itself."""
    return modules(package) if (ROOT / package).is_dir() else [ROOT / f"{package}.py"]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> list[str]:
    """Return every module and name that a file imports, also inside functions."""
    found: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def broken(paths: list[Path], allowed: tuple[str, ...]) -> list[str]:
    """Return the imports of our own modules that are not in `allowed`, as `file -> module`."""
    return [
        f"{path.relative_to(ROOT)} -> {name}"
        for path in paths
        for name in imports(path)
        if any(within(name, package) for package in PACKAGES) and not any(within(name, package) for package in allowed)
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_only_core_and_web(service: str) -> None:
    own = f"chalicelib.{service}"
    allowed = (own, "chalicelib.core", "chalicelib.web", "chalicelib.settings")
    assert broken(modules(f"chalicelib/{service}"), allowed) == []


def rooms(package: str) -> dict[str, set[str]]:
    """Return the rooms of a package (folders, and modules next to them), each with the rooms that it imports."""
    root = ROOT / "chalicelib" / package
    found: dict[str, set[str]] = {path.stem: set() for path in root.glob("*.py")}
    found |= {path.parent.name: set() for path in root.glob("*/*.py")}
    for path in root.rglob("*.py"):
        room = path.relative_to(root).with_suffix("").parts[0]
        named = {name.split(".")[2] for name in imports(path) if name.startswith(f"chalicelib.{package}.")}
        found[room] |= named & found.keys() - {room}
    return found


def cycle(arrows: dict[str, set[str]]) -> list[str]:
    """Return the nodes of a cycle in a graph; empty without a cycle."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", ["core", "web", *SERVICES])
def test_the_rooms_of_a_package_have_no_import_cycles(package: str) -> None:
    """Imports for types alone count too."""
    assert cycle(rooms(package)) == []


def test_top_level_packages_have_no_import_cycles() -> None:
    arrows = {
        package: {name.split(".")[0] for path in files(package) for name in imports(path)} & set(PACKAGES) - {package}
        for package in PACKAGES
    }
    assert cycle(arrows) == []


def test_no_test_imports_from_a_conftest() -> None:
    paths = [*modules("tests"), *modules("bench")]
    assert [path for path in paths for name in imports(path) if "conftest" in name.split(".")] == []


def classes(path: Path) -> set[str]:
    return {node.name for node in parsed(path).body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("service", SERVICES)
def test_class_names_are_unique_among_the_modules_of_one_request(service: str) -> None:
    """A request runs code of one service and of the shared packages."""
    others = {ROOT / "chalicelib" / other for other in SERVICES if other != service}
    paths = [path for package in PACKAGES if package != "tests" for path in files(package)]
    found = [name for path in paths if not others & {*path.parents} for name in classes(path)]
    assert sorted(name for name, times in Counter(found).items() if times > 1) == []


def test_core_imports_only_the_settings() -> None:
    allowed = ("chalicelib.core", "chalicelib.settings", "chalicelib.__version__")
    assert broken(modules("chalicelib/core"), allowed) == []


def test_web_imports_only_errors_callers_and_declarations_from_core() -> None:
    assert broken(modules("chalicelib/web"), ("chalicelib.web", "chalicelib.settings", *ALLOWED_IN_WEB)) == []


@pytest.mark.parametrize("folder", ["chalicelib/core", "chalicelib/web"])
def test_core_and_web_contain_no_name_of_a_dialect(folder: str) -> None:
    dialects = {"luarocks", "contentdb", "luadns", "hel"}
    assert [(path.name, name) for path in modules(folder) for name in names(path) if words(name) & dialects] == []


def names(path: Path) -> Iterator[str]:
    """Yield the names and strings of a file, without docstrings and comments, which can contain examples."""
    tree = parsed(path)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and _has_docstring(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> bool:
    return bool(node.body) and isinstance(node.body[0], ast.Expr)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def test_only_app_and_web_import_chalice() -> None:
    paths = [path for folder in ("chalicelib", "standalone", "commands") for path in modules(folder)]
    users = {path.relative_to(ROOT).parts[1] for path in paths for name in imports(path) if within(name, "chalice")}
    assert users <= {"web"}


def test_only_standalone_and_tests_import_moto() -> None:
    paths = [ROOT / "app.py", *modules("chalicelib"), *modules("commands"), *modules("infra")]
    assert [path for path in paths for name in imports(path) if within(name, "moto")] == []


def test_deployed_modules_import_only_deployed_modules() -> None:
    paths = [ROOT / "app.py", *modules("chalicelib")]
    assert broken(paths, ("app", "chalicelib")) == []


# Modules that open connections, in the standard library and in ours.
_OPENERS = (
    *("socket", "socketserver", "http.client", "urllib.request", "ftplib", "smtplib", "telnetlib", "xmlrpc"),
    *("urllib3", "requests", "httpx", "aiohttp", "dulwich.client", "paramiko", "dns.query", "dns.resolver"),
)
# Rooms that may use them, besides core/outbound.
_DOORS = {
    "chalicelib/core/confinement",  # sockets between a process and its children
    "chalicelib/luadns/upstream.py",  # DNS queries to the resolvers of the operator or the system
    "standalone/dns",  # the name server listens
    "standalone/server.py",  # the web server listens
}


def test_only_the_outbound_room_opens_connections() -> None:
    """Otherwise a URL of a user could lead to this machine or its network. botocore connects to AWS alone."""
    paths = [path for folder in ("chalicelib", "standalone", "commands") for path in modules(folder)]
    outside = [path for path in paths if not path.is_relative_to(ROOT / "chalicelib/core/outbound")]
    users = {
        str(path.relative_to(ROOT))
        for path in outside
        for name in imports(path)
        if any(within(name, opener) for opener in _OPENERS)
    }
    assert {user for user in users if not user.startswith(tuple(_DOORS))} == set()
    assert {door for door in _DOORS if not any(user.startswith(door) for user in users)} == set()


def test_there_are_services_to_test() -> None:
    assert {"hel", "luarocks"} <= set(SERVICES)


@pytest.mark.parametrize("path", modules("bench"), ids=lambda path: path.stem)
def test_bench_imports_only_names_that_exist(path: Path) -> None:
    """mypy does not check bench, and no test runs most of it."""
    for name in imports(path):
        module, _, attribute = name.rpartition(".")
        if name.split(".")[0] in PACKAGES and module:
            found = hasattr(importlib.import_module(module), attribute) or importlib.util.find_spec(name)
            assert found, f"{path.name}: {name}"
