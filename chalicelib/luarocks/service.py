"""LuaRocks as a service: what the route modules declare their views on."""

from chalicelib.luarocks import wire
from chalicelib.web.service import Service

service = Service("luarocks", wire.render_error)
