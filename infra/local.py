"""Chalice's own server on the embedded storage, for `make local`.

It shows how Chalice itself handles the app. docs/aws.md lists its limits; for real use run `make serve`.
"""

import logging.config
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from chalice.cli.factory import CLIFactory
from chalice.local import ChaliceRequestHandler, LocalDevServer

from infra import stages

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default="data", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--stage", default="dev", show_default=True, help="The stage whose environment variables are set.")
def main(data: Path, host: str, port: int, stage: str) -> None:
    """Run `chalice local` on a data directory, until stopped."""
    try:
        server = make_server(data, host, port, stage)
    except (stages.Refused, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        click.echo()


def make_server(data: Path, host: str, port: int, stage: str) -> LocalDevServer:
    """Open the data, start the jobs, and return a server that listens already. Raises Refused, OSError, ValueError."""
    os.environ.update(stages.settings(stage))
    from chalicelib import settings
    from standalone import runtime
    from standalone.server import LOGGING

    settings.install(settings.Settings.from_environment(os.environ))
    logging.config.dictConfig(LOGGING)
    runtime.open_data(data)
    factory = CLIFactory(str(stages.ROOT))
    config = factory.create_config_obj(stage)
    app = config.chalice_app
    from app import site

    site.mount_pages(app)
    server = factory.create_local_server(app, config, host, port)
    server.server.RequestHandlerClass = partial(LocalHandler, app_object=app, config=config)
    runtime.start_jobs()
    return server


class LocalHandler(ChaliceRequestHandler):
    """Chalice's request handler; it also serves signed links to blobs, as S3 and the one-machine gateway do."""

    def do_GET(self) -> None:
        from chalicelib.core import links

        if self.path.startswith(links.PREFIX) and self.path.isascii():
            self._serve_link()
        else:
            super().do_GET()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the line would contain the path, which may contain an API key. The app logs each request."""

    def _serve_link(self) -> None:
        from chalicelib.web.protection import NOSNIFF
        from standalone.downloads import open_link

        path, _, query = self.path.partition("?")
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        scope = {"method": self.command, "raw_path": path.encode(), "query_string": query.encode(), "headers": headers}
        reply, file, part = open_link(cast("HTTPScope", scope))
        self.send_response(reply.status)
        self.send_header(*NOSNIFF)
        for name, value in reply.headers:
            self.send_header(name.decode(), value.decode("latin-1"))
        self.end_headers()
        self.wfile.write(reply.body)
        if file and part:
            with file:
                self.wfile.write(file.read(part.end - part.start))


if __name__ == "__main__":
    main()
