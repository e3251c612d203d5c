"""The Lua file that configures hpm 1.2 for this server, and mends what hpm cannot do by itself.

hpm runs every file in /etc/hpm/module with its own functions as globals. A file that fails makes every command fail, so
each mend requires that the functions are there.
"""

import re

from chalicelib.core.errors import Invalid

MENDS = ("search", "install", "files")

_TEMPLATE = """\
-- hpm with this server. A mend that is false leaves hpm as it is.
local mends = { MENDS }
local hel = modules.hel
hel.URL = "URL/"

-- Search for several words and all letters: hpm sends them without the encoding that most servers require.
if mends.search and public and recv and try and json then
  local function encoded(text)
    return (text:gsub("[^%w._~-]", function(letter) return ("%%%02X"):format(letter:byte()) end))
  end
  hel.search = public(function(self, ...)
    local words = {}
    for _, word in ipairs({ ... }) do words[#words + 1] = '"' .. word:gsub('"', "") .. '"' end
    local query = #words > 0 and "&q=" .. encoded(table.concat(words, " ")) or ""
    local offset, data = 0
    repeat
      data = json:decode(try(recv(self.URL .. "packages?offset=" .. offset .. query))).data
      for _, package in ipairs(data.list) do log.print(package.name .. ": " .. package.short_description) end
      offset = data.offset + data.sent
    until data.sent == 0 or offset >= data.total
    if data.total == 0 then log.print("No packages found.") end
  end)
end

-- hpm install name@range: hpm reads the range, and installs the newest version.
if mends.install and public and semver and hel.install and hel.resolveDependencies then
  local install, resolve, ranges = hel.install, hel.resolveDependencies, {}
  hel.install = public(function(self, ...)
    if options.l or options["local"] then return install(self, ...) end
    local names = {}
    for number, word in ipairs({ ... }) do
      local name, range = word:match("^(.+)@(.+)$")
      names[number] = name or word
      ranges[name or word] = range
    end
    return install(self, table.unpack(names))
  end)
  hel.resolveDependencies = function(self, packages, ...)
    for _, package in ipairs(packages) do
      local range = ranges[package.name]
      if range then
        ranges[package.name] = nil
        local valid, spec = pcall(semver.Spec, range)
        if not valid then log.fatal("Could not parse the version specification: " .. tostring(spec)) end
        package.version = spec
      end
    end
    return resolve(self, packages, ...)
  end
end

-- Files of this server: from the address that this file names, also if their author used https.
if mends.files and hel.parsePackageJSON then
  local parse = hel.parsePackageJSON
  local scheme, site = hel.URL:match("^(https?://)(.*)$")
  hel.parsePackageJSON = function(self, ...)
    local data = parse(self, ...)
    for _, file in ipairs(data.files) do
      local rest = file.url:match("^https?://(.*)$")
      if rest and rest:sub(1, #site) == site then file.url = scheme .. rest end
    end
    return data
  end
end
"""


def module(url: str, without: str = "") -> str:
    """The text of the file. `without` names mends that are off, separated by commas. Raises Invalid."""
    off = [name for name in without.split(",") if name]
    if unknown := [name for name in off if name not in MENDS]:
        raise Invalid(f"There is no mend {unknown[0]}: there are {', '.join(MENDS)}.")
    mends = ", ".join(f"{name} = {'false' if name in off else 'true'}" for name in MENDS)
    return _TEMPLATE.replace("MENDS", mends, 1).replace("URL/", f"{_escaped(url)}/", 1)


def _escaped(text: str) -> str:
    """A text, such as this host's name, for a quoted string in Lua."""
    return re.sub(r"[^!#-\[\]-~]", lambda one: "".join(f"\\{byte:03d}" for byte in one[0].encode()), text)
