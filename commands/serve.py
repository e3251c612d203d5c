"""`moonbase serve`: one machine's server."""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from standalone.dns.server import Sockets

_WELCOME = """\
Moonbase serves {url}   (data in {data})

First steps, in another terminal:
  ./moonbase --data {data} user create NAME --email NAME@example.org
  ./moonbase --data {data} key create NAME --service luarocks
  luarocks upload --server={url} --temp-key=KEY MODULE-1.0-1.rockspec
  luarocks install --only-server={url} MODULE
"""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--base-url", help="The URL that clients use, when a proxy stands before: https://rocks.example.org")
@click.option("--workers", default=os.cpu_count() or 1, type=click.IntRange(1, 64), help="Processes; default: cores.")
@click.option(
    "--dns-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Answer DNS queries for LuaDNS' zones here, by UDP and TCP; 0, the default: nowhere. The world asks port 53.",
)
@click.option("--dns-host", multiple=True, help="The address for that, if not --host; may be given several times.")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    base_url: str | None,
    workers: int,
    dns_port: int,
    dns_host: tuple[str, ...],
) -> None:
    """Serve until stopped."""
    from chalicelib import settings
    from standalone.runtime import make_site, open_data
    from standalone.server import configure, listen
    from standalone.server import serve as run

    data: Path | None = ctx.obj["data"]
    if base_url and not base_url.startswith(("http://", "https://")):
        raise click.BadParameter("a URL starts with http:// or https://", param_hint="--base-url")
    if data is None:
        raise click.UsageError("serving needs a data directory (--data); on AWS, API Gateway serves")
    if dns_port and settings.current().luadns_engine not in ("", "authoritative"):
        raise click.UsageError("--dns-port needs MOONBASE_LUADNS_ENGINE to be authoritative, or not set")
    open_data(data)  # what is wrong with it shows here, once, and not in every worker
    config = configure(
        partial(make_site, data, base_url, serves_dns=dns_port > 0),
        host=host,
        port=port,
        workers=workers,
        max_body=settings.current().max_body,
    )
    listener = listen(config)
    if dns_port:
        _serve_dns(data, dns_host or (host,), dns_port)
    name = f"[{host}]" if ":" in host else host
    url = base_url or f"http://{name}:{listener.getsockname()[1]}"
    started = {"url": url, "data": str(data)}
    click.echo(json.dumps(started) if ctx.obj["as_json"] else _WELCOME.format(**started))
    run(config, listener)


def _serve_dns(data: Path, hosts: Sequence[str], port: int) -> None:
    from standalone.dns import process
    from standalone.dns.server import listen

    listening: list[Sockets] = [listen(host, port) for host in hosts]
    process.start(data, listening)
