"""The declaration of the transparency log's paths. The log itself belongs to the core: core/transparency."""

from chalicelib.core.transparency.keys import PREFIX
from chalicelib.log import routes
from chalicelib.web.slice import Slice

log = Slice(
    name="log",
    essential=True,
    title="Transparency log",
    service=routes.service,
    routes=(routes,),
    paths=(PREFIX,),
    no_events="the log is made from the events",
)
