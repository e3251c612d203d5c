"""Manifests load in Lua, and in the client."""

import io
import json
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from chalicelib.core.catalogues import segments
from chalicelib.core.catalogues.blocks import Blocks
from chalicelib.luarocks import manifests
from chalicelib.luarocks.manifests import ManifestForm

Modules = Mapping[str, Mapping[str, Sequence[str]]]
VERSIONS = [f"{number}.0-1" for number in range(7)]

MODULES = {
    "30log": {"0.8.0-1": ["rockspec", "src"], "1.0-1": ["rockspec"]},
    "abc": {"scm-1": ["rockspec", "src", "all"]},
    "end": {"v1-1": ["rockspec"], "goto": ["rockspec"]},
    "lua-x.y_z": {"1-1": ["rockspec"]},
}
ABC = b"""\
   abc = {
      ["1.0-1"] = {
         {
            arch = "rockspec"
         },
         {
            arch = "src"
         }
      }
   }"""

# Prints a manifest: its globals, then every module, version and architecture.
LISTING = r"""
local found = {}
setfenv(assert(loadfile(arg[1])), found)()
local globals = {}
for name in pairs(found) do table.insert(globals, name) end
table.sort(globals)
print(table.concat(globals, " "), next(found.commands), next(found.modules))
local lines = {}
for name, versions in pairs(found.repository) do
   for version, items in pairs(versions) do
      local arches = {}
      for _, item in ipairs(items) do table.insert(arches, item.arch) end
      table.insert(lines, name .. "\t" .. version .. "\t" .. table.concat(arches, " "))
   end
end
table.sort(lines)
io.write(table.concat(lines, "\n"), "\n")
"""


def blocks_of(modules: Modules, form: ManifestForm) -> Blocks:
    def render(names: Sequence[str]) -> bytes:
        return form.join([form.fragment(name, modules[name]) for name in names])

    return Blocks(form.frame).arranged(list(modules), list(modules), render)


def text_of(modules: Modules, form: ManifestForm = manifests.TABLE) -> bytes:
    return blocks_of(modules, form).text()


def zip_of(modules: Modules, name: str) -> bytes:
    return segments.zip_file(name, blocks_of(modules, manifests.TABLE).whole())


def whole() -> bytes:
    return text_of(MODULES)


def lines_of(modules: Modules) -> list[str]:
    """What `load` returns for a manifest of these modules."""
    listed = [
        f"{name}\t{version}\t{' '.join(arches)}"
        for name, versions in modules.items()
        for version, arches in versions.items()
    ]
    return ["commands modules repository\tnil\tnil", *sorted(listed)]


def load(manifest: bytes, folder: Path, lua: str = "lua5.1") -> list[str]:
    (folder / "manifest").write_bytes(manifest)
    (folder / "listing.lua").write_text(LISTING)
    run = [lua, str(folder / "listing.lua"), str(folder / "manifest")]
    return subprocess.run(run, capture_output=True, check=True, timeout=30).stdout.decode().splitlines()


def test_a_fragment_is_one_module_as_luarocks_indents_it() -> None:
    assert manifests.fragment("abc", {"1.0-1": ["rockspec", "src"]}) == ABC


def test_a_manifest_has_three_globals() -> None:
    assert text_of({"abc": {"1.0-1": ["rockspec", "src"]}, "x": {}}) == (
        b"commands = {}\nmodules = {}\nrepository = {\n" + ABC + b",\n   x = {\n\n   }\n}\n"
    )


def test_a_manifest_loads_in_lua(tmp_path: Path) -> None:
    assert load(whole(), tmp_path) == lines_of(MODULES)


def test_an_empty_manifest_loads_in_lua(tmp_path: Path) -> None:
    assert load(text_of({}), tmp_path) == ["commands modules repository\tnil\tnil", ""]


@pytest.mark.parametrize("odd", ['a"b', "a\\b", "a\nb1", "a\x001", "café", "]]", ""])
def test_any_text_survives_as_a_lua_string(odd: str, tmp_path: Path) -> None:
    for form in (manifests.TABLE, manifests.FUNCTIONS):
        manifest = text_of({odd: {"1-1": ["rockspec"]}}, form)
        assert "\n".join(load(manifest, tmp_path)[1:]) == f"{odd}\t1-1\trockspec"


@pytest.mark.parametrize("served", ["manifest-5.1", "manifest-5.1.zip"])
def test_the_client_finds_the_rocks_of_a_manifest(served: str, tmp_path: Path) -> None:
    text = whole()
    (tmp_path / served).write_bytes(zip_of(MODULES, "manifest-5.1") if served.endswith("zip") else text)
    search = ["luarocks", "--lua-version=5.1", "search", "--all", "--porcelain", f"--only-server=file://{tmp_path}"]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(search, env=environment, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    found = {tuple(line.split("\t")[:3]) for line in done.stdout.decode().splitlines()}
    assert {each for each in found if each[2] != "installed"} == {
        (name, version, arch)
        for name, versions in MODULES.items()
        for version, arches in versions.items()
        for arch in arches
    }


def test_the_json_manifest_has_the_same_content() -> None:
    assert json.loads(text_of(MODULES, manifests.JSON)) == {
        "commands": {},
        "modules": {},
        "repository": {
            name: {version: [{"arch": arch} for arch in arches] for version, arches in versions.items()}
            for name, versions in MODULES.items()
        },
    }


def test_a_zipped_manifest_is_one_deflated_member() -> None:
    archive = zipfile.ZipFile(io.BytesIO(zip_of(MODULES, "manifest-5.4")))
    (member,) = archive.infolist()
    assert (member.filename, member.compress_type) == ("manifest-5.4", zipfile.ZIP_DEFLATED)
    assert archive.read(member) == whole()


def test_a_large_manifest_is_written_in_functions(tmp_path: Path) -> None:
    text = text_of(MODULES, manifests.FUNCTIONS)
    assert text == (
        b"commands = {}\nmodules = {}\nrepository = {}\n;(function(r) "
        + b"\n".join(
            b"r" + (b"" if fragment[3:4] == b"[" else b".") + fragment[3:]
            for name, versions in MODULES.items()
            for fragment in [manifests.fragment(name, versions)]
        )
        + b" end)(repository)\n"
    )
    assert load(text, tmp_path) == lines_of(MODULES)


@pytest.mark.parametrize("lua", ["lua5.1", "luajit"])
def test_a_manifest_of_luarocks_orgs_size_loads(lua: str, tmp_path: Path) -> None:
    large = {f"module-{number}": {key: ["rockspec", "src"] for key in VERSIONS} for number in range(5449)}
    assert load(text_of(large, manifests.FUNCTIONS), tmp_path, lua) == lines_of(large)


def test_luajit_loads_the_largest_table() -> None:
    """A module with one file has the most constants per line."""
    fitting = {f"m{number}": {f"{number}-1": ["rockspec"]} for number in range(manifests.LARGEST_FUNCTION // 7)}
    blocks = blocks_of(fitting, manifests.TABLE)
    assert blocks.lines <= manifests.LARGEST_FUNCTION
    assert manifests.fitting(manifests.TABLE, blocks) is manifests.TABLE
    assert subprocess.run(["luajit", "-"], input=text_of(fitting), timeout=60).returncode == 0

    larger = {**fitting, "one-more": {"1-1": ["rockspec"]}}
    for form in (manifests.TABLE, manifests.FUNCTIONS):
        assert manifests.fitting(form, blocks_of(larger, form)) is manifests.FUNCTIONS
