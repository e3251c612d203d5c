from chalicelib.web.service import Service
from chalicelib.home import wire

service = Service("hel", wire.render_error)
