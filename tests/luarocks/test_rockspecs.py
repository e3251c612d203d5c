"""The fields that the server reads from a rockspec, and the texts of its errors."""

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.luarocks.rockspecs import Rockspec, parse, parse_rock_name

CHARACTERS = "contains invalid characters, only alphanumeric, period, underscore, and hyphen allowed"


def spec(more: str = "", package: str = '"Thing"', version: str = '"1.0-1"') -> Rockspec:
    least = 'source = {url = "x"} build = {}'
    return parse(f"package = {package}\nversion = {version}\n{least}\n{more}".encode())


def refusal(source: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        parse(source)
    return refused.value.message


def test_all_fields_of_a_rockspec_are_read() -> None:
    source = b"""#!/usr/bin/env lua
        rockspec_format = "3.0"
        package = "LuaThing"
        version = "2.0.1-3"
        source = { url = "git+https://example.org/thing.git", tag = "v2.0.1" }
        description = {
           summary = "Things for Lua",
           detailed = "Many things.",
           license = "MIT",
           homepage = "https://example.org/",
           maintainer = "Someone",
           labels = { "Data Structures", "things" },
        }
        dependencies = { "lua >= 5.1, < 5.5", "lpeg ~> 1.0" }
        build = { type = "builtin", modules = { thing = "thing.lua" } }
    """
    assert parse(source) == Rockspec(
        package="LuaThing",
        version="2.0.1-3",
        summary="Things for Lua",
        description="Many things.",
        license="MIT",
        homepage="https://example.org/",
        labels=["data-structures", "things"],
        dependencies=["lua >= 5.1, < 5.5", "lpeg ~> 1.0"],
        lua_version="lua >= 5.1, < 5.5",
        source_url="git+https://example.org/thing.git",
    )


def test_descriptions_and_dependencies_are_optional() -> None:
    assert spec() == Rockspec("Thing", "1.0-1", None, None, None, None, [], [], None, "x")


def test_names_are_looked_up_in_lower_case() -> None:
    found = spec(package='"LuaThing"', version='"1.0RC1-1"')
    assert (found.name, found.version_name) == ("luathing", "1.0rc1-1")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"package = ", "Failed to parse rockspec"),
        (b"\x1bLua", "Failed to parse rockspec"),
        (b"package = nil .. 1", "Failed to eval rockspec"),
        (b"while true do end", "Failed to eval rockspec"),
        (b"", "Invalid rockspec (missing package)"),
        (b"package = false", "Invalid rockspec (missing package)"),
        (b"package = ''", "Invalid rockspec (blank package)"),
        (b"package = 5", "Invalid rockspec (invalid package name, string only)"),
        (b"package = {}", "Invalid rockspec (invalid package name, string only)"),
        (b"package = 'caf\xc3\xa9'", "Invalid rockspec (invalid package name, ascii only)"),
        (b"package = 'a b'", f"Invalid rockspec (package name {CHARACTERS})"),
        (b"package = 'a/b'", f"Invalid rockspec (package name {CHARACTERS})"),
        (b"package = 'a\\n'", f"Invalid rockspec (package name {CHARACTERS})"),
        (b"package = ('a'):rep(256)", f"Invalid rockspec (package name {CHARACTERS})"),
        (b"package = 'a'", "Invalid rockspec (missing version)"),
        (b"package = 'a..b'", "Invalid rockspec (missing version)"),
        (b"package = 'a' version = ''", "Invalid rockspec (blank version)"),
        (b"package = 'a' version = 1.0", "Invalid rockspec (invalid version name, string only)"),
        (b"package = 'a' version = '1\xe9'", "Invalid rockspec (invalid version name, ascii only)"),
        (b"package = 'a' version = '1 0'", f"Invalid rockspec (version name {CHARACTERS})"),
        (b"package = 'a..b' version = '1..0'", "package name has invalid characters"),
        (b"package = 'a' version = '1..0'", "version name has invalid characters"),
    ],
)
def test_a_bad_rockspec_is_refused_with_upstreams_texts(source: bytes, message: str) -> None:
    assert refusal(source) == message


def test_names_may_have_255_characters() -> None:
    assert len(spec(package='("a"):rep(255)').name) == 255


def test_dependencies_are_trimmed_and_listed_once() -> None:
    found = spec("dependencies = {' lpeg ', 'lpeg', 'lua-cjson', platforms = {unix = {'posix'}}}")
    assert found.dependencies == ["lpeg", "lua-cjson"]


@pytest.mark.parametrize(
    ("dependencies", "lua_version"),
    [
        ("'lpeg', 'lua >= 5.1', 'lua < 5.4'", "lua >= 5.1"),
        ("'lua\\t5.1'", "lua\t5.1"),
        ("'lua-cjson', 'luasocket 3'", None),
        ("'lua>=5.1'", None),
        ("'lua'", None),
    ],
)
def test_the_lua_version_is_the_first_dependency_on_lua_with_a_constraint(
    dependencies: str, lua_version: str | None
) -> None:
    assert spec(f"dependencies = {{{dependencies}}}").lua_version == lua_version


def test_ten_labels_are_stored_as_slugs() -> None:
    names = ", ".join(f"'Label_{n} !'" for n in range(12))
    assert spec(f"rockspec_format = '3.0' description = {{labels = {{{names}}}}}").labels == [
        f"label-{n}" for n in range(10)
    ]


def test_long_texts_are_cut_and_long_urls_are_omitted() -> None:
    lua = """
        description = {
            summary = ("s"):rep(10001), detailed = ("d"):rep(10001), license = ("l"):rep(256), homepage = ("h"):rep(%d),
        }
        source = { url = ("u"):rep(%d) }
    """
    found = spec(lua % (2000, 2000))
    assert (found.summary, found.description, found.license) == ("s" * 10_000, "d" * 10_000, "l" * 255)
    assert (found.homepage, found.source_url) == ("h" * 2000, "u" * 2000)
    found = spec(lua % (2001, 2001))
    assert (found.homepage, found.source_url) == (None, None)


def test_the_stored_fields_fit_one_database_item() -> None:
    found = spec("""
        local long = ("\\244\\143\\191\\191"):rep(20000)
        description = {summary = long, detailed = long, license = long, homepage = long}
        source = {url = long}
        dependencies = {("a"):rep(300)}
        for n = 1, 1000 do dependencies[n + 1] = n .. ("a"):rep(200) end
    """)
    texts = [found.summary, found.description, found.license, found.homepage, found.source_url]
    size = sum(len(text.encode()) for text in [*filter(None, texts), *found.dependencies])
    assert (len(found.dependencies), size < 380_000) == (500, True)


@pytest.mark.parametrize(
    ("version", "development"),
    [
        ("scm-1", True),
        ("cvs-1", True),
        ("svn-1", True),
        ("git-1", True),
        ("DEV-1", True),
        ("main-1", False),
        ("1.0dev-1", False),
        ("main.scm-1", False),
        ("1.0-1", False),
    ],
)
def test_development_versions_are_recognized_by_their_prefix(version: str, development: bool) -> None:
    assert spec(version=f'"{version}"').development is development


@pytest.mark.parametrize(
    ("filename", "parsed"),
    [
        ("lua-thing-1.0-1.src.rock", ("1.0-1", "src")),
        ("lua-thing-1.0-1.linux-x86_64.rock", ("1.0-1", "linux-x86_64")),
        ("lua-thing-scm-1.ALL.rock", ("scm-1", "ALL")),
    ],
)
def test_a_rocks_file_name_contains_version_and_architecture(filename: str, parsed: tuple[str, str]) -> None:
    assert parse_rock_name(filename, "lua-thing") == parsed


@pytest.mark.parametrize(
    ("filename", "message"),
    [
        ("other-1.0-1.src.rock", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("luaxthing-1.0-1.src.rock", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("Lua.thing-1.0-1.src.rock", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("lua.thing-1.0-1.rockspec", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("lua.thing-1.rock", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("lua.thing-.src.rock", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("lua.thing-1.0-1.src.rock\n", "Filename must be in format `lua.thing-VERSION.ARCH.rock`"),
        ("lua.thing-1/0.s c.rock", f"Version {CHARACTERS}"),
        ("lua.thing-1\n0.src.rock", f"Version {CHARACTERS}"),
        ("lua.thing-1.0.s/c.rock", f"Arch {CHARACTERS}"),
    ],
)
def test_a_badly_named_rock_is_refused_with_upstreams_texts(filename: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_rock_name(filename, "lua.thing")
    assert refused.value.message == message
