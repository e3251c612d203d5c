-- The environment of zone files. Its record functions collect rows: name, type, content, TTL or false, and the line.
local LARGEST_TTL = 2147483647

return function(line, zone)
   local rows, transfers, builtins, templates = {}, {}, {}, {}

   local function fail(what, text)
      error(what .. ": " .. text, 0)
   end

   local function text(what, field, value)
      if type(value) == "number" then
         return value % 1 == 0 and string.format("%d", value) or tostring(value)
      elseif type(value) ~= "string" then
         fail(what, field .. (value == nil and " is missing" or " must be a string, not a " .. type(value)))
      end
      return value
   end

   local function number(what, field, value, default, largest)
      if value == nil then
         value = default
      end
      local found = tonumber(value)
      if not found or found % 1 ~= 0 or found < 0 or found > largest then
         fail(what, field .. " must be an integer from 0 to " .. string.format("%d", largest))
      end
      return string.format("%d", found)
   end

   local function host(what, field, value)
      value = text(what, field, value)
      if value == "" or value == "@" then
         return zone .. "."
      elseif value:sub(-1) == "." then
         return value
      end
      return value:find(".", 1, true) and value .. "." or value .. "." .. zone .. "."
   end

   local function add(what, name, kind, content, ttl)
      name = text(what, "name", name)
      if ttl ~= nil then
         ttl = tonumber(number(what, "ttl", ttl, nil, LARGEST_TTL))
      end
      rows[#rows + 1] = { name, kind, content, ttl or false, line() or 0 }
   end

   local function record(name, value)
      builtins[name] = value
   end

   for _, kind in ipairs { "a", "aaaa" } do
      record(kind, function(name, address, ttl)
         add(kind, name, kind:upper(), text(kind, "ip", address), ttl)
      end)
   end

   for kind, field in pairs { alias = "target", cname = "target", ns = "server", ptr = "host" } do
      record(kind, function(name, target, ttl)
         add(kind, name, kind:upper(), host(kind, field, target), ttl)
      end)
   end

   for kind, field in pairs { forward = "to", spf = "text", txt = "text" } do
      record(kind, function(name, content, ttl)
         add(kind, name, kind:upper(), text(kind, field, content), ttl)
      end)
   end

   record("caa", function(name, value, tag, flag, ttl)
      local flags, tags = number("caa", "flag", flag, 0, 255), text("caa", "tag", tag or "issue")
      add("caa", name, "CAA", flags .. " " .. tags .. " " .. text("caa", "value", value), ttl)
   end)

   record("ds", function(name, keytag, digest, algorithm, digest_type, ttl)
      local content = number("ds", "keytag", keytag, nil, 65535)
         .. " " .. number("ds", "algorithm", algorithm, 13, 255)
         .. " " .. number("ds", "digest_type", digest_type, 2, 255)
         .. " " .. text("ds", "digest", digest)
      add("ds", name, "DS", content, ttl)
   end)

   record("redirect", function(name, target, mode, ttl)
      local content = number("redirect", "mode", mode, 0, 999) .. " " .. text("redirect", "target", target)
      add("redirect", name, "REDIRECT", content, ttl)
   end)

   record("mx", function(name, exchanger, prio, ttl)
      local content = number("mx", "prio", prio, 0, 65535) .. " " .. host("mx", "exchanger", exchanger)
      add("mx", name, "MX", content, ttl)
   end)

   record("srv", function(name, target, port, prio, weight, ttl)
      local content = number("srv", "prio", prio, 0, 65535)
         .. " " .. number("srv", "weight", weight, 0, 65535)
         .. " " .. number("srv", "port", port, nil, 65535)
         .. " " .. host("srv", "target", target)
      add("srv", name, "SRV", content, ttl)
   end)

   record("sshfp", function(name, algorithm, value, kind, ttl)
      local content = number("sshfp", "algorithm", algorithm, nil, 255)
         .. " " .. number("sshfp", "type", kind, 1, 255)
         .. " " .. text("sshfp", "value", value)
      add("sshfp", name, "SSHFP", content, ttl)
   end)

   record("tlsa", function(name, usage, certificate, selector, matching, ttl)
      local content = number("tlsa", "usage", usage, nil, 255)
         .. " " .. number("tlsa", "selector", selector, 1, 255)
         .. " " .. number("tlsa", "matching", matching, 1, 255)
         .. " " .. text("tlsa", "certificate", certificate)
      add("tlsa", name, "TLSA", content, ttl)
   end)

   record("record", function(name, kind, content, ttl)
      add("record", name, text("record", "type", kind):upper(), text("record", "content", content), ttl)
   end)

   record("slave", function(name, address)
      local server = host("slave", "host", name)
      address = text("slave", "ip", address)
      add("slave", "", "NS", server)
      if server:lower():sub(-#zone - 2) == "." .. zone .. "." then
         add("slave", server, address:find(":", 1, true) and "AAAA" or "A", address)
      end
      transfers[#transfers + 1] = { address, line() or 0 }
   end)

   record("concat", function(x, y)
      return text("concat", "the first name", x) .. "." .. text("concat", "the second name", y)
   end)

   record("require", function(name)
      if name ~= "templates" then
         fail("require", "there is no module " .. tostring(name) .. "; the only one is templates")
      end
      return templates
   end)

   builtins._a = zone
   for name, value in pairs {
      assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, select = select,
      tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
      string = string, table = table, math = math,
   } do
      builtins[name] = value
   end

   -- The templates of the system. Each adds the records that its provider publishes in its documentation.

   function templates:google_workspace()
      builtins.mx("", "smtp.google.com", 1)
      builtins.txt("", "v=spf1 include:_spf.google.com ~all")
   end

   function templates:microsoft_365(verification)
      builtins.mx("", zone:gsub("%.", "-") .. ".mail.protection.outlook.com", 0)
      builtins.cname("autodiscover", "autodiscover.outlook.com")
      builtins.txt("", "v=spf1 include:spf.protection.outlook.com -all")
      if verification then
         builtins.txt("", verification)
      end
   end

   function templates:github_pages(user)
      for last = 8, 11 do
         builtins.a("", "185.199.1" .. string.format("%02d", last) .. ".153")
      end
      for last = 0, 3 do
         builtins.aaaa("", "2606:50c0:800" .. last .. "::153")
      end
      if user then
         builtins.cname("www", text("github_pages", "user", user) .. ".github.io")
      end
   end

   function templates:fastmail()
      builtins.mx("", "in1-smtp.messagingengine.com", 10)
      builtins.mx("", "in2-smtp.messagingengine.com", 20)
      builtins.txt("", "v=spf1 include:spf.messagingengine.com ?all")
      for key = 1, 3 do
         builtins.cname("fm" .. key .. "._domainkey", "fm" .. key .. "." .. zone .. ".dkim.fmhosted.com")
      end
   end

   function templates:netlify(site)
      builtins.a("", "75.2.60.5")
      if site then
         builtins.cname("www", text("netlify", "site", site) .. ".netlify.app")
      end
   end

   local globals = setmetatable({}, {
      __index = builtins,
      __newindex = function(globals, name, value)
         if builtins[name] ~= nil then
            error(tostring(name) .. " is a name of the language and cannot be redefined; use `local " .. tostring(name)
               .. "` or another name", 0)
         end
         rawset(globals, name, value)
      end,
   })
   return globals, function()
      return rows, transfers
   end
end
