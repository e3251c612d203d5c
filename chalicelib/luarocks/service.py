"""The LuaRocks service, on which the route modules declare their routes."""

from chalicelib.luarocks import sharing, wire
from chalicelib.web.service import Service

service = Service("luarocks", wire.render_error, sharing.finish)
