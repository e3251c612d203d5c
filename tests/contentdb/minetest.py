"""The main menu of Minetest 5.6 (from Debian's minetest-data), run in Lua; tests operate its dialogs.

This module implements the functions that the game's C++ code provides to the menu: HTTP, files, settings.
"""

import io
import json
import re
import shutil
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from lupa import lua51

BUILTIN = Path("/usr/share/games/minetest/builtin")
VERSION, PROTOCOL = "5.6.1", 41

_PRELUDE = """
local host, files = ...
DIR_DELIM, PLATFORM, INIT = "/", "Linux", "mainmenu"
core, gamedata = {}, {}
minetest = core
core.settings = {
    get = function(self, name) return host.settings[name] end,
    set = function(self, name, value) host.settings[name] = value end,
}
core.gettext = function(text) return text end
core.formspec_escape = function(text) return text end
core.get_color_escape_sequence = function() return "" end
core.log = function() end
core.is_yes = function(value) return value == true or value == "true" end
core.get_version = function() return { string = files.version } end
core.get_max_supp_proto = function() return files.protocol end
core.get_http_api = function() return { fetch_sync = function(request)
    local body = host.fetch(request.url)
    return { succeeded = body ~= nil, data = body }
end } end
core.parse_json = function(text) return host.parse_json(text) end
core.handle_async = function(work, parameters, done) done(work(parameters)) return true end
for _, name in ipairs({ "download_file", "extract_zip", "create_dir", "delete_dir", "copy_dir", "is_dir" }) do
    core[name] = function(...) return host[name](...) end
end
core.get_dir_list = function(path) return host.get_dir_list(path) end
core.get_temp_path = function(is_file) return host.get_temp_path(is_file or false) end
core.get_cache_path = function() return files.home .. "/cache" end
core.get_modpath = function() return files.home .. "/mods" end
core.get_modpaths = function() return { mods = files.home .. "/mods" } end
core.get_gamepath = function() return files.home .. "/games" end
core.get_texturepath = function() return files.home .. "/textures" end
core.get_texturepath_share = core.get_texturepath
core.get_games = function()
    return { { id = "moon", title = "Moon", path = files.home .. "/moon", gamemods_path = files.home .. "/moon/mods",
               author = "", release = 0 } }
end
function Settings(path)
    local values = host.read_conf(path)
    return {
        get = function(self, name) return values[name] end,
        set = function(self, name, value) values[name] = tostring(value) end,
        to_table = function() return values end,
        write = function() host.write_conf(path, values) end,
    }
end
ui = { update = function() end }
defaulttexturedir, mt_color_green, mt_color_orange = "", "", ""
shown = {}
function dialog_create(name, get_formspec, handle_submit)
    local dialog = { data = {} }
    function dialog:show() shown[#shown + 1] = dialog end
    function dialog:hide() end
    function dialog:set_parent() end
    function dialog:delete() table.remove(shown) end
    function dialog:formspec() return get_formspec(self.data) end
    function dialog:submit(fields) return handle_submit(self, fields) end
    return dialog
end
"""


class MainMenu:
    """The menu of a game that is installed in `home` and configured with a server's URL."""

    def __init__(self, url: str, home: Path) -> None:
        self.home, self.requests = home, []
        for name in ("cache", "mods", "games", "textures", "moon/mods"):
            (home / name).mkdir(parents=True, exist_ok=True)
        self.settings: dict[str, Any] = {
            "contentdb_url": url,
            "contentdb_flag_blacklist": "nonfree, desktop_default",
            "contentdb_max_concurrent_downloads": "3",
        }
        self.lua = lua51.LuaRuntime(unpack_returned_tuples=True)
        files = self.lua.table(home=str(home), version=VERSION, protocol=PROTOCOL)
        host = {name: getattr(self, name) for name in dir(self) if not name.startswith("_")}
        self.lua.compile(_PRELUDE)(self.lua.table_from(host | {"settings": self.lua.table_from(self.settings)}), files)
        for name in (
            *("common/misc_helpers.lua", "common/filterlist.lua"),
            *("mainmenu/pkgmgr.lua", "mainmenu/dlg_contentstore.lua"),
        ):
            self.lua.globals().dofile(str(BUILTIN / name))
        self.lua.globals().pkgmgr.refresh_globals()

    def browse(self, kind: str | None = None) -> str:
        """Open "Browse online content"; returns its content."""
        dialog = self.lua.globals().create_store_dlg(kind)
        dialog.show(dialog)
        return self.look()

    def look(self) -> str:
        """Return the formspec of the front dialog without colours and escapes."""
        dialog = self.lua.eval("shown[#shown]")
        return re.sub(r"\x1b\(c@[^)]*\)|\\", "", str(dialog.formspec(dialog)))

    def press(self, **fields: str) -> str:
        """Submit fields of the front dialog; return the content of the front dialog afterwards."""
        dialog = self.lua.eval("shown[#shown]")
        assert dialog.submit(dialog, self.lua.table_from(fields))
        assert self.lua.globals().gamedata.errormessage is None, self.lua.globals().gamedata.errormessage
        return self.look()

    def fetch(self, url: str) -> str | None:
        """Return the body of a URL after at most three redirects, as the game's cURL does."""
        self.requests.append(url)
        request = urllib.request.Request(url, headers={"User-Agent": f"Minetest/{VERSION} (Linux)"})
        handler = urllib.request.HTTPRedirectHandler()
        handler.max_redirections = 3
        with urllib.request.build_opener(handler).open(request, timeout=20) as answer:
            return str(answer.read().decode("latin-1"))

    def parse_json(self, text: str) -> Any:
        return self._table(json.loads(text.encode("latin-1")))

    def download_file(self, url: str, target: str) -> bool:
        body = self.fetch(url)
        Path(target).write_bytes((body or "").encode("latin-1"))
        return body is not None

    def extract_zip(self, file: str, target: str) -> bool:
        try:
            with zipfile.ZipFile(io.BytesIO(Path(file).read_bytes())) as archive:
                archive.extractall(target)
        except zipfile.BadZipFile:
            return False
        return True

    def get_temp_path(self, is_file: bool) -> str:
        return tempfile.mkstemp(dir=self.home)[1] if is_file else tempfile.mkdtemp(dir=self.home)

    def create_dir(self, path: str) -> bool:
        Path(path).mkdir(parents=True, exist_ok=True)
        return True

    def delete_dir(self, path: str) -> bool:
        shutil.rmtree(path, ignore_errors=True)
        return True

    def copy_dir(self, source: str, target: str, keep_source: bool = True) -> bool:
        shutil.copytree(source, target)
        return True

    def is_dir(self, path: str) -> bool:
        return Path(path).is_dir()

    def get_dir_list(self, path: str) -> Any:
        return self._table([child.name for child in sorted(Path(path).iterdir()) if child.is_dir()])

    def read_conf(self, path: str) -> Any:
        lines = Path(path).read_text().splitlines() if Path(path).is_file() else []
        pairs = (line.partition("=") for line in lines if "=" in line)
        return self._table({name.strip(): value.strip() for name, _, value in pairs})

    def write_conf(self, path: str, values: Any) -> None:
        Path(path).write_text("".join(f"{name} = {value}\n" for name, value in values.items()))

    def _table(self, value: Any) -> Any:
        """Convert JSON data to Lua; null becomes nil."""
        if isinstance(value, list):
            return self.lua.table_from([self._table(item) for item in value])
        if isinstance(value, dict):
            return self.lua.table_from({name: self._table(item) for name, item in value.items()})
        return value
