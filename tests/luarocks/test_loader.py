"""Only rockspecs that the client can load are accepted: in its words, and compared with the client itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

from chalicelib.luarocks import index
from chalicelib.luarocks.tables import LuaRocksItem
from tests.luarocks.builders import Upload
from tests.luarocks.rockspec_cases import CASES, Case

# Prints a line for each file: its name, and the message of the client's refusal, `-` for none.
LOADER = """
require("luarocks.loader")
local cfg = require("luarocks.core.cfg")
cfg.init()
require("luarocks.fs").init()
require("luarocks.path").use_tree("/nonexistent")
local fetch = require("luarocks.fetch")
for number = 1, tonumber(arg[1]) do
   local file = number .. "/a-1.0-1.rockspec"
   local ok, loaded, problem = pcall(fetch.load_local_rockspec, file)
   local message = not ok and "crash " .. tostring(loaded) or loaded and "-" or problem
   print((message:gsub("\\n", " ")))
end
"""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_rockspec_is_accepted_if_the_client_can_load_it(upload: Upload, case: Case) -> None:
    reply = upload(case.source.encode())
    if case.message is None:
        assert (reply.status, reply.json.get("errors")) == (200, None)
    else:
        assert (reply.status, reply.json) == (400, {"errors": [case.message]})
        assert (list(LuaRocksItem.scan()), index.catalogue.snapshot().entries) == ([], {})


@pytest.mark.parametrize("lua", ["lua5.1", "lua5.4"])
def test_the_client_has_the_same_verdict(tmp_path: Path, lua: str) -> None:
    cases = {name: case for name, case in CASES.items() if not case.is_ours}
    for number, case in enumerate(cases.values(), 1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a-1.0-1.rockspec").write_bytes(case.source.encode())
    assert shutil.which("luarocks"), "install the Debian packages that .ci/run names"
    command = [lua, "-", str(len(cases))]
    done = subprocess.run(command, input=LOADER.encode(), cwd=tmp_path, capture_output=True, timeout=60, check=True)
    verdicts = done.stdout.decode("latin-1").splitlines()
    assert {
        name: verdict for (name, case), verdict in zip(cases.items(), verdicts, strict=True) if _differs(case, verdict)
    } == {}


def _differs(case: Case, verdict: str) -> bool:
    """Whether the client's verdict is another one; LuaRocks.org's own texts are for what no client can load either."""
    if case.message is None or case.message.startswith(("Failed to", "Invalid")):
        return (verdict == "-") != (case.message is None)
    return not verdict.endswith(f": {case.message}")
