"""Manifests load in Lua, and in the client."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from chalicelib.luarocks import manifests

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


def whole() -> bytes:
    return manifests.lua(manifests.fragment(name, versions) for name, versions in MODULES.items())


def load(manifest: bytes, folder: Path) -> list[str]:
    (folder / "manifest").write_bytes(manifest)
    (folder / "listing.lua").write_text(LISTING)
    run = ["lua5.1", str(folder / "listing.lua"), str(folder / "manifest")]
    return subprocess.run(run, capture_output=True, check=True, timeout=30).stdout.decode().splitlines()


def test_a_fragment_is_one_module_as_luarocks_indents_it() -> None:
    assert manifests.fragment("abc", {"1.0-1": ["rockspec", "src"]}) == ABC


def test_a_manifest_has_three_globals() -> None:
    assert manifests.lua([ABC, b"   x = {}"]) == (
        b"commands = {}\nmodules = {}\nrepository = {\n" + ABC + b",\n   x = {}\n}\n"
    )


def test_a_manifest_loads_in_lua(tmp_path: Path) -> None:
    assert load(whole(), tmp_path) == [
        "commands modules repository\tnil\tnil",
        *sorted(
            f"{name}\t{version}\t{' '.join(arches)}"
            for name, versions in MODULES.items()
            for version, arches in versions.items()
        ),
    ]


def test_an_empty_manifest_loads_in_lua(tmp_path: Path) -> None:
    assert load(manifests.lua([]), tmp_path) == ["commands modules repository\tnil\tnil", ""]


@pytest.mark.parametrize("odd", ['a"b', "a\\b", "a\nb1", "a\x001", "café", "]]", ""])
def test_any_text_survives_as_a_lua_string(odd: str, tmp_path: Path) -> None:
    manifest = manifests.lua([manifests.fragment(odd, {"1-1": ["rockspec"]})])
    assert "\n".join(load(manifest, tmp_path)[1:]) == f"{odd}\t1-1\trockspec"


@pytest.mark.parametrize("served", ["manifest-5.1", "manifest-5.1.zip"])
def test_the_client_finds_the_rocks_of_a_manifest(served: str, tmp_path: Path) -> None:
    text = whole()
    (tmp_path / served).write_bytes(manifests.zipped("manifest-5.1", text) if served.endswith("zip") else text)
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
    text = manifests.json(manifests.json_fragment(name, versions) for name, versions in MODULES.items())
    assert json.loads(text) == {
        "commands": {},
        "modules": {},
        "repository": {
            name: {version: [{"arch": arch} for arch in arches] for version, arches in versions.items()}
            for name, versions in MODULES.items()
        },
    }


def test_a_zipped_manifest_is_one_deflated_member() -> None:
    archive = zipfile.ZipFile(io.BytesIO(manifests.zipped("manifest-5.4", whole())))
    (member,) = archive.infolist()
    assert (member.filename, member.compress_type) == ("manifest-5.4", zipfile.ZIP_DEFLATED)
    assert archive.read(member) == whole()


def test_equal_manifests_are_equal_zip_files() -> None:
    assert manifests.zipped("manifest", whole()) == manifests.zipped("manifest", whole())
