"""The ContentDB dialect: routes of all modules are declared on it."""

from chalicelib.contentdb import wire
from chalicelib.web.service import Service

service = Service("contentdb", wire.render_error, wire.finish)
