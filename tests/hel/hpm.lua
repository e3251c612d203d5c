-- A client in plain Lua that behaves like hpm 1.2: it sends requests as OpenComputers' internet card does, reads and
-- checks every field that hpm reads, and compares versions in hpm's order.
--
--     lua5.3 hpm.lua ROOT MEMORY COMMAND ARGUMENT...
--
-- ROOT is the machine's file system; ROOT/etc/hpm/module/*.lua are run at the start, as by hpm, with the functions and
-- tables that hpm gives them: a module can replace commands and methods of `modules.hel`. MEMORY is the number of
-- KiB that the command can use. A machine in the game has 192 KiB to 2 MiB, of which hpm's own code takes 430.

local socket, dkjson = require("socket"), require("dkjson")
local root, memory, command = arg[1], tonumber(arg[2]), arg[3]
local hel = { URL = "https://api.fomalhaut.me/" }

-- What a module gets.
modules, options, log, json, semver = { hel = hel }, {}, {}, {}, {}

log.print = print

function log.fatal(message)
  error(message, 0)
end

function json:decode(text)
  local decoded, _, fault = dkjson.decode(text)
  assert(decoded, fault)
  return decoded
end

function try(result, reason)
  if not result then log.fatal(reason) end
  return result
end

function public(method)
  return setmetatable({ __public = true }, { __call = function(_, ...) return method(...) end })
end

local function path_of(path)
  return root .. path
end

-- HTTP --------------------------------------------------------------------------------------------------------------

-- Java's HttpURLConnection: no Accept-Encoding, the target without encoding, redirects only within http.
local function get(url)
  local host, port, target = url:match("^http://([^:/]+):?(%d*)(/.*)$")
  assert(host, "hpm could not fetch " .. url)
  local connection = assert(socket.connect(host, tonumber(port) or 80))
  connection:settimeout(20)
  assert(connection:send(table.concat({
    "GET " .. target .. " HTTP/1.1",
    "User-Agent: Java/1.8.0_402",
    "Host: " .. host .. ":" .. port,
    "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Connection: keep-alive", "", "",
  }, "\r\n")))
  local status = tonumber(assert(connection:receive("*l")):match("^HTTP/1%.1 (%d+)"))
  local headers = {}
  for line in function() return assert(connection:receive("*l")) end do
    if line == "" then break end
    local name, value = line:match("^(.-): *(.*)$")
    headers[name:lower()] = value
  end
  assert(not headers["content-encoding"], "the response is compressed without Accept-Encoding")
  assert(status == 200, "HTTP status " .. status)
  -- hpm appends each chunk to the text before it, and the card returns at most 2048 bytes at once.
  local body, size = "", tonumber(headers["content-length"])
  while #body < size do body = body .. assert(connection:receive(math.min(2048, size - #body))) end
  connection:close()
  return body
end

function recv(url)
  local ok, body = pcall(get, url)
  if not ok then return false, ("Could not download '%s': %s"):format(url, body) end
  return body
end

local function get_json(target)
  return json:decode(get(hel.URL .. target)).data
end

-- Fields ------------------------------------------------------------------------------------------------------------

local function field(object, name, kind)
  local value = object[name]
  assert(type(value) == kind, ("%s is %s, not %s"):format(name, type(value), kind))
  return value
end

local function texts(object, name)
  local list = field(object, name, "table")
  for _, text in ipairs(list) do assert(type(text) == "string") end
  return list
end

local function sorted(object)
  local keys = {}
  for key in pairs(object) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Versions ----------------------------------------------------------------------------------------------------------

-- Strict: a package with any other key cannot be installed. A pre-release ranks above its release.
local function version_of(text)
  local major, minor, patch, rest = text:match("^(%d+)%.(%d+)%.(%d+)(.*)$")
  assert(major, "Invalid version string: " .. text)
  assert(rest == "" or rest:match("^[-+][0-9A-Za-z.+-]+$"), "Invalid version string: " .. text)
  for _, number in ipairs({ major, minor, patch }) do assert(number == "0" or number:sub(1, 1) ~= "0", text) end
  return { tonumber(major), tonumber(minor), tonumber(patch), rest:match("^%-([^+]*)") or "", text = text }
end

local function compare(a, b)
  for part = 1, 4 do
    if b[part] ~= nil and a[part] ~= b[part] then return a[part] < b[part] and -1 or 1 end
  end
  return 0
end

local function fits(version, range)
  for item in range:gmatch("[^,]+") do
    local operator, number = item:match("^([^%d*]*)(.*)$")
    local wanted = {}
    for digits in number:gmatch("%d+") do wanted[#wanted + 1] = tonumber(digits) end
    local order = compare(version, wanted)
    local ok = item == "*"
      or (operator == "^" and order >= 0 and version[1] == wanted[1])
      or ((operator == "" or operator == "==") and order == 0)
      or (operator == ">=" and order >= 0)
      or (operator == "<" and order < 0)
    if not ok then return false end
  end
  return true
end

function semver.Spec(range)
  for item in range:gmatch("[^,]+") do
    if item ~= "*" and not item:match("^[<>=!^~]*%d[%w.+-]*$") then
      error("Invalid requirement specification: " .. item, 0)
    end
  end
  return { match = function(_, version) return fits(version, range) end, text = range }
end

-- Return the highest version in the range, and its data, from the response to GET packages/NAME.
local function select_version(package, spec)
  local best, data
  local versions = field(package, "versions", "table")
  for _, number in ipairs(sorted(versions)) do
    local version = version_of(number)
    if spec:match(version) and (not best or compare(best, version) < 0) then best, data = version, versions[number] end
  end
  assert(best, "No candidate for version specification '" .. spec.text .. "' found!")
  for url, file in pairs(field(data, "files", "table")) do
    assert(url:match("^https?://"))
    assert(field(file, "path", "string"):match("^/.*[^/]$"))
    assert(type(file.dir) == "string" and type(file.name) == "string", "older clients read dir and name")
  end
  for _, dependency in pairs(field(data, "depends", "table")) do
    field(dependency, "version", "string")
    field(dependency, "type", "string")
  end
  return best, data
end

-- Installed packages ------------------------------------------------------------------------------------------------

local DIST = "/var/lib/hpm/dist/hel/"

local function write(path, content)
  os.execute("mkdir -p '" .. path_of(path):match("^(.*)/") .. "'")
  local file = assert(io.open(path_of(path), "wb"))
  file:write(content)
  file:close()
end

local function installed(name)
  local file = io.open(path_of(DIST .. name), "rb")
  if not file then return nil end
  local content = file:read("*a")
  file:close()
  return dkjson.decode(content)
end

-- The chosen version of a package, with its files as a list.
function hel:parsePackageJSON(package, spec)
  local version, data = select_version(package, spec)
  local files = {}
  for _, url in ipairs(sorted(data.files)) do files[#files + 1] = { url = url, path = data.files[url].path } end
  return { name = field(package, "name", "string"), version = version.text, files = files, depends = data.depends }
end

local function install(package)
  print("Installing '" .. package.name .. "@" .. package.version .. "'...")
  for _, file in ipairs(package.files) do write(file.path, try(recv(file.url))) end
  write(DIST .. package.name, dkjson.encode({ name = package.name, version = package.version }))
end

-- Plan the dependencies first; optional ones are installed like required ones.
function hel:resolveDependencies(packages, planned, result)
  planned, result = planned or {}, result or {}
  for _, wanted in ipairs(packages) do
    local manifest = installed(wanted.name)
    if not planned[wanted.name] and not (manifest and wanted.version:match(version_of(manifest.version))) then
      planned[wanted.name] = true
      local package = self:parsePackageJSON(get_json("packages/" .. wanted.name), wanted.version)
      for _, name in ipairs(sorted(package.depends)) do
        local range = semver.Spec(package.depends[name].version)
        self:resolveDependencies({ { name = name, version = range } }, planned, result)
      end
      result[#result + 1] = package
    end
  end
  return result
end

-- Commands ----------------------------------------------------------------------------------------------------------

local commands = {}

-- `more` are further parameters.
local function search(more, ...)
  local words = {}
  for _, word in ipairs({ ... }) do words[#words + 1] = '"' .. word:gsub('["&]', "") .. '"' end
  local query = #words > 0 and "&q=" .. table.concat(words, " ") or ""
  query = query .. more
  local offset, found = 0, 0
  repeat
    local data = get_json("packages?offset=" .. offset .. query)
    for _, package in ipairs(field(data, "list", "table")) do
      print(field(package, "name", "string") .. ": " .. field(package, "short_description", "string"))
      found = found + 1
    end
    offset = field(data, "sent", "number") + field(data, "offset", "number")
    local total = field(data, "total", "number")
  until not field(data, "truncated", "boolean") or offset >= total
  print(found .. " found")
end

hel.search = public(function(_, ...)
  search("", ...)
end)

-- hpm has no such command. It shows what the pages of other servers cost.
commands["search-whole"] = function(...)
  search("&limit=20", ...)
end

function commands.info(name, range)
  local package = get_json("packages/" .. name)
  local version, data = select_version(package, semver.Spec(range or "*"))
  local stats = field(package, "stats", "table")
  local date = field(stats, "date", "table")
  print(field(package, "name", "string"), field(package, "description", "string"), field(package, "license", "string"))
  print(table.concat(texts(package, "owners"), ", "), table.concat(texts(package, "authors"), ", "))
  print(version.text, field(data, "changes", "string"), field(stats, "views", "number"))
  print(field(date, "created", "string"), field(date, "last-updated", "string"))
end

-- hpm loses the range: `match or word` is one value.
hel.install = public(function(self, ...)
  local packages = {}
  for number, word in ipairs({ ... }) do
    packages[number] = { name = word:match("^(.+)@.+$") or word, version = semver.Spec("*") }
  end
  for _, package in ipairs(self:resolveDependencies(packages)) do install(package) end
end)

function commands.upgrade(...)
  for _, name in ipairs({ ... }) do
    local package = hel:parsePackageJSON(get_json("packages/" .. name), semver.Spec("*"))
    if compare(version_of(installed(name).version), version_of(package.version)) < 0 then install(package) end
  end
end

function commands.search(...)
  hel:search(...)
end

function commands.install(...)
  hel:install(...)
end

local list = io.popen("ls '" .. path_of("/etc/hpm/module/") .. "'*.lua 2>/dev/null")
for file in list:lines() do assert(loadfile(file))() end
list:close()

-- A machine collects its garbage when an allocation fails, and the command fails if that frees too little.
collectgarbage()
local start = collectgarbage("count")
debug.sethook(function()
  if collectgarbage("count") - start <= memory then return end
  collectgarbage()
  if collectgarbage("count") - start > memory then error("not enough memory", 0) end
end, "", 100)
local ok, fault = pcall(commands[command], table.unpack(arg, 4))
debug.sethook()
if not ok then
  print("error: " .. tostring(fault):gsub("^[^:]*:%d+: ", ""))
  os.exit(1)
end
