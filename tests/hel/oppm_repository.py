"""A repository of OPPM with one program of each kind, and what its import says."""

from pathlib import Path

CFG = b"""
-- The programs of a musician.
{
  ["drum"] = {
    files = {
      ["master/drum/drum.lua"] = "/bin",
      [":master/drum/lib"] = "/lib/drum",
      ["?master/etc/drum.cfg"] = "//etc",
      ["develop/drum/new.lua"] = "bin/",
    },
    dependencies = { ["mpm.tar"] = "/", ["base"] = "//opt", ["http://example.org/f"] = "/lib", ["unseen"] = "//usr" },
    name = "Drum", description = "Plays a drum.", authors = "Alice, Bob", note = "Beat it.", repo = "tree/master/drum",
  },
  ["mpm.tar"] = { files = { ["main/mpm.lua"] = "/bin" }, dependencies = {"base"}, authors = {"Carol", "Dan"} },
  base = { files = {}, dependencies = {}, description = "Nothing.", hidden = true },
  ["mpm-tar"] = { files = {} },
  ["no-file"] = { files = { ["master/none.lua"] = "/bin" } },
  ["no-folder"] = { files = { [":master/none"] = "/bin" } },
  ["no-table"] = { description = "none" },
  ["outside"] = { files = { ["master/../../../../etc/passwd"] = "/bin" } },
  ["nul"] = { files = { ["master/a\\0b"] = "/bin" } },
  ["compiled"] = { files = { ["master/compiled.lua"] = "/bin" } },
  ["odd"] = { files = { ["master/mpm.lua"] = 5 } },
  ["___"] = { files = {} },
  "nameless",
}
"""
FILES = {
    "programs.cfg": CFG,
    "drum/drum.lua": b"print('drum')\n",
    "drum/new.lua": b"print('new')\n",
    "drum/lib/a.lua": b"return {}\n",
    "drum/lib/deep/b.lua": b"return {}\n",  # the same bytes at another place
    "etc/drum.cfg": b"loud = true\n",
    "mpm.lua": b"print('mpm')\n",
    "compiled.lua": b"\x1bLua\x53",
}
NOTES = [
    "drum: etc/drum.cfg is replaced by an update, which oppm does not",
    "drum: drum/new.lua is from the default branch, not from develop",
    "drum: its dependency base is installed in its usual folder, not in //opt",
    "drum: its dependency http://example.org/f is no program, and is not imported",
    "mpm.tar: it is named mpm-tar here",
    "base: it is listed here, but hidden in oppm",
]
REFUSED = [
    {"program": "mpm-tar", "why": "Another program is named mpm-tar here."},
    {"program": "no-file", "why": "There is no file none.lua in the repository."},
    {"program": "no-folder", "why": "There is no folder none in the repository."},
    {"program": "no-table", "why": "It has no table of files."},
    {"program": "outside", "why": "There is no file etc/passwd in the repository."},
    {"program": "nul", "why": "Bad path given."},
    {"program": "compiled", "why": "compiled.lua: The file is precompiled Lua; only source text is accepted."},
    {"program": "odd", "why": "Its files are no texts."},
    {"program": "___", "why": "'___' makes no name of a package."},
    {"program": "1", "why": "It has no table of files."},
]


def write(root: Path, files: dict[str, bytes] | None = None) -> Path:
    """Write the repository, or other files, into a directory; return it."""
    for path, content in (FILES if files is None else files).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root
