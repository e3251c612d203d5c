"""The declaration of the root of the host, and of the paths of no other service."""

from chalicelib.home import routes
from chalicelib.web.slice import Slice

home = Slice(
    name="home",
    essential=True,
    title="Moonbase",
    service=routes.service,
    routes=(routes,),
    paths=("/", "/{file}/{below}", "/favicon.svg", "/.well-known", "/healthz", routes.UPLOADS),
    upload_path=routes.UPLOADS,
    no_events="an uploaded file is private until a service uses it",
)
