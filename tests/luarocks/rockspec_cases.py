"""Rockspecs, and why LuaRocks' client cannot load them."""

from typing import NamedTuple

MOST = """package = "a" version = "1.0-1" source = {url = "https://example.org/a.zip"} build = {type = "builtin"}
"""
NEWER = MOST + 'rockspec_format = "3.0" '


class Case(NamedTuple):
    """A rockspec of `a` 1.0-1, and the message of its refusal; None if it is accepted.

    `is_ours` if the message is this server's, because the client stops with a trace, is older, or depends on its Lua.
    """

    source: str
    message: str | None
    is_ours: bool = False


def _old(message: str) -> str:
    return f"{message} (using rockspec format 1.0)"


def _advice(message: str, version: str = "3.0") -> str:
    remedy = f"adding 'rockspec_format = \"{version}\"' to the rockspec will fix this"
    return f"{message} (using rockspec format 1.0 -- {remedy})"


def _constraint(dependency: str, rest: str, operator: str, place: str) -> str:
    return (
        f"Parse error processing dependency '{dependency}': Failed to parse constraint '{rest}' "
        f"with error: Encountered bad constraint operator: '{operator}' in '{place}'"
    )


def _version(version: str) -> tuple[str, str]:
    mismatch = f"Type mismatch on field version: invalid value '{version}' does not match '[%w.]+-[%d]+'"
    return MOST + f'version = "{version}"', _old(mismatch)


_DEPENDENCY = "Type mismatch on field dependencies[1]: invalid value '{}' does not match a valid dependency string"

ACCEPTED = {
    "format 1.0": MOST + 'rockspec_format = "1.0"',
    "format 1.1": MOST + 'rockspec_format = "1.1" deploy = {wrap_bin_scripts = false}',
    "format 3.0": NEWER + 'test = {type = "busted"} test_dependencies = {"busted"} build_dependencies = {"u/x"}',
    "format 3.0 without build": 'rockspec_format = "3.0" package = "a" version = "1.0-1" source = {url = "x"}',
    "labels": NEWER + 'description = {labels = {"Parsing"}, issues_url = "https://example.org/"}',
    "no format": MOST + "rockspec_format = nil",
    "capital package": MOST + 'package = "A"',
    "empty URL": MOST + 'source = {url = ""}',
    "computed": MOST + 'local n = "1" version = n .. ".0" .. ("-%d"):format(1)',
    "repeated": MOST + 'description = {summary = ("x"):rep(2)}',
    "long string": MOST + "description = {detailed = [==[\n]] -- \" ' \\x41 ]==]}",
    "long comment": MOST + "--[[ \" ' \n]] description = {} --[==[ ]] ]==]",
    "CRLF": MOST.replace("\n", "\r\n"),
    "first line": "#!/usr/bin/env lua\n" + MOST,
    "semicolons": MOST + ";",
    "locals named like globals": MOST + 'local version, package = "2", "b" version = package',
    "a local named like a field": 'local url, foo = "x", "y" ' + MOST + "source.url = url .. foo",
    "a known global read": MOST + "local seen = description",
    "a function in build": MOST + 'build = {type = "builtin", f = function() end}',
    "anything in build": MOST + 'build = {type = "make", 1, x = {1, true}, install = {bin = {1}}}',
    "a dependency's user": NEWER + 'dependencies = {"user/x >= 1.0", platforms = {unix = {"posix"}}}',
    "a cut constraint": MOST.replace("build", 'rockspec_format = "3.0" build') + 'dependencies = {"lua >= 5.1, < 5.5"}',
    "constraints": MOST + 'dependencies = {"lua ~> 5.1", "b == 1, != 2 ~= 3", "c@ 1", "d = 1.0-1", "e 2", " f "}',
    "platforms": MOST + 'supported_platforms = {"unix", "!win32"}',
    "external dependencies": MOST + 'external_dependencies = {SSL = {header = "ssl.h", library = "ssl"}}',
    "hooks": MOST + 'hooks = {post_install = "true"}',
    "overridden": MOST + 'source = {url = "x", platforms = {win32 = {url = "y"}}}',
}
REFUSED = {
    "BOM": ("\ufeff" + MOST, "Failed to parse rockspec"),
    "comment of another shell": ("# comment\n" + MOST, "Failed to parse rockspec"),
    "bytecode": ("\x1bLua", "Failed to parse rockspec"),
    "an error": (MOST + "x.y = 1", "Failed to eval rockspec"),
    "no source": (MOST + "source = nil", _old("Mandatory field source is missing.")),
    "no URL": (MOST + "source = {}", _old("Mandatory field source.url is missing.")),
    "no build": (MOST + "build = nil", _advice("Mandatory field build is missing.")),
    "no revision": _version("0.4.0"),
    "a hyphen": _version("1.0-rc1-1"),
    "an underscore": _version("a_b-1"),
    "a word as revision": _version("1.0-a"),
    "a space after the revision": (
        MOST + 'version = "1.0-1 "',
        "Invalid rockspec (version name contains invalid characters, "
        "only alphanumeric, period, underscore, and hyphen allowed)",
    ),
    "format 2.0": (MOST + 'rockspec_format = "2.0"', "unknown rockspec format 2.0 (using rockspec format 2.0)"),
    "format 9.0": (
        MOST + 'rockspec_format = "9.0"',
        "Rockspec format 9.0 is not supported, please upgrade LuaRocks.",
    ),
    "an unknown variable": (MOST + "x = foo", _old("Unknown variable: foo")),
    "a library": (MOST + "local f = string", _old("Unknown variable: string")),
    "an unknown field": (MOST + "foo = 1", _old("Unknown field foo")),
    "a function": (MOST + "function f() end", _old("Unknown field f")),
    "labels at the top": (NEWER + 'labels = {"x"}', "Unknown field labels (using rockspec format 3.0)"),
    "a hash of another kind": (MOST + 'source = {url = "x", sha256 = "1"}', _old("Unknown field sha256")),
    "labels below 3.0": (MOST + 'description = {labels = {"x"}}', _advice("Unknown field labels")),
    "issues_url below 3.0": (MOST + 'description = {issues_url = "x"}', _advice("Unknown field issues_url")),
    "test below 3.0": (MOST + "test = {}", _advice("Unknown field test")),
    "test_dependencies below 3.0": (MOST + "test_dependencies = {}", _advice("Unknown field test_dependencies")),
    "build_dependencies below 3.0": (MOST + "build_dependencies = {}", _advice("Unknown field build_dependencies")),
    "deploy below 1.1": (MOST + "deploy = {}", _advice("Unknown field deploy", "1.1")),
    "dependencies of a wrong type": (
        MOST + 'dependencies = "lua"',
        _old("Type mismatch on field dependencies: expected a table"),
    ),
    "source of a wrong type": (MOST + 'source = "x"', _old("Type mismatch on field source: expected a table")),
    "build of a wrong type": (MOST + "build = 1", _old("Type mismatch on field build: expected a table")),
    "build.install of a wrong type": (
        MOST + 'build = {install = "x"}',
        _old("Type mismatch on field build.install: expected a table"),
    ),
    "supported_platforms of a wrong type": (
        MOST + 'supported_platforms = "unix"',
        _old("Type mismatch on field supported_platforms: expected a table"),
    ),
    "summary of a wrong type": (
        MOST + "description = {summary = 1}",
        _old("Type mismatch on field description.summary: expected a string, got number"),
    ),
    "an endless number": (
        MOST + "description = {summary = 1/0}",
        _old("Type mismatch on field description.summary: expected a string, got number"),
    ),
    "a function for a text": (
        MOST + "description = {summary = function() end}",
        _old("Type mismatch on field description.summary: expected a string, got function"),
    ),
    "a table for a text": (
        MOST + "source = {url = {}}",
        _old("Type mismatch on field source.url: expected a string, got table"),
    ),
    "a number as dependency": (
        MOST + 'dependencies = {"lua >= 5.1", 1}',
        _old("Type mismatch on field dependencies[2]: expected a string, got number"),
    ),
    "a flag": (
        MOST + 'rockspec_format = "1.1" deploy = {wrap_bin_scripts = "no"}',
        "Type mismatch on field deploy.wrap_bin_scripts: expected boolean (using rockspec format 1.1)",
    ),
    "platforms of a wrong type": (
        MOST + 'source = {url = "x", platforms = "unix"}',
        _old("Type mismatch on field source.platforms: expected a table"),
    ),
    "an empty dependency": (MOST + 'dependencies = {""}', _old(_DEPENDENCY.format(""))),
    "a dependency's user below 3.0": (
        MOST + 'dependencies = {"u/x"}',
        _advice(_DEPENDENCY.format("u/x")),
    ),
    "a bad operator": (
        MOST + 'dependencies = {"lua >=> 5.1"}',
        _constraint("lua >=> 5.1", ">=> 5.1", ">=>", ">=> 5.1"),
    ),
    "a bar": (MOST + 'dependencies = {"lua 5.1 | 5.2"}', _constraint("lua 5.1 | 5.2", "5.1 | 5.2", "nil", "| 5.2")),
}
OURS = {
    "the environment, which Lua 5.1 does not know": (MOST + "local e = _ENV", _old("Unknown variable: _ENV")),
    "format 3.1": (MOST + 'rockspec_format = "3.1"', None),
    "a number as format": (
        MOST + "rockspec_format = 3.0",
        "rockspec_format must be a string, not a number: LuaRocks stops at it",
    ),
    "a number below dependencies.platforms": (
        MOST + "dependencies = {platforms = {unix = {1}}}",
        "dependencies.platforms.unix[1] must be a string, not a number: LuaRocks stops at it",
    ),
    "a number for a platform": (
        MOST + 'source = {url = "x", platforms = {unix = 1}}',
        "source.platforms.unix must be a table, not a number: LuaRocks stops at it",
    ),
    "a number below source.platforms": (
        MOST + 'source = {url = "x", platforms = {unix = {url = 1}}}',
        "source.platforms.unix.url must be a string, not a number: LuaRocks stops at it",
    ),
}

CASES = (
    {name: Case(source, None) for name, source in ACCEPTED.items()}
    | {name: Case(*case) for name, case in REFUSED.items()}
    | {name: Case(*case, is_ours=True) for name, case in OURS.items()}
)
