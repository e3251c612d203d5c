"""The ContentDB service, on which all modules declare their routes."""

from chalicelib.contentdb import wire
from chalicelib.web.service import Service

service = Service("contentdb", wire.render_error, wire.finish)
