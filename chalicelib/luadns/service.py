"""The service that LuaDNS' routes are declared on."""

from chalicelib.luadns import wire
from chalicelib.web.service import Service

service = Service("luadns", wire.render_error, wire.finish)
