"""`moonbase serve`: the server on one machine."""

import json
import os
from collections.abc import Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.checkout import COMMAND

if TYPE_CHECKING:
    from standalone.dns.server import Sockets

_WELCOME = """\
Moonbase serves {url}   (data in {data})
"""
_NEW = """
{data} is a new, empty data directory. If you expected your data here, stop the server and check --data.
"""
_STEPS = """
First steps, in another terminal:
  {command} --data {data} user create NAME --email NAME@example.org
"""
_LUAROCKS_STEPS = """\
  {command} --data {data} key create NAME --service luarocks
  luarocks upload --server={url} --temp-key=KEY MODULE-1.0-1.rockspec
  luarocks install --only-server={url} MODULE
"""
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _base_url(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value and not value.startswith(("http://", "https://")):
        raise click.BadParameter("a URL starts with http:// or https://")
    return value


def _networks(ctx: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    """Parse and check the networks: uvicorn would treat an invalid address as a host name, and trust no proxy."""
    networks = tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        for network in networks:
            ip_network(network)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return networks


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free port.")
@click.option("--base-url", callback=_base_url, help="The URL that clients use: https://rocks.example.org")
@click.option(
    "--workers",
    default=os.cpu_count() or 1,
    type=click.IntRange(1, 64),
    help="Worker processes; default: one per core.",
)
@click.option("--tls-cert", type=_FILE, help="Serve https: the certificate followed by its intermediates, PEM.")
@click.option("--tls-key", type=_FILE, help="The certificate's key, PEM. SIGHUP reloads both files.")
@click.option(
    "--http-port",
    type=click.IntRange(0, 65535),
    help="With TLS: serve http on this port too, for computers in games that have no https.",
)
@click.option(
    "--trusted-proxies",
    default="",
    callback=_networks,
    metavar="NETWORKS",
    help="Addresses or networks, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are trusted.",
)
@click.option(
    "--dns-port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Answer DNS queries for LuaDNS' zones on this port, by UDP and TCP; default: 0, off. Resolvers use port 53.",
)
@click.option("--dns-host", multiple=True, help="The address for DNS, if not --host; may be given several times.")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    base_url: str | None,
    workers: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    http_port: int | None,
    trusted_proxies: tuple[str, ...],
    dns_port: int,
    dns_host: tuple[str, ...],
) -> None:
    """Serve on this machine until stopped."""
    from chalicelib import settings
    from chalicelib.core import registry
    from chalicelib.core.confinement import self_test
    from chalicelib.core.mail import transport
    from chalicelib.core.mail.rendering import url_of
    from standalone.runtime import check_data, is_new, make_site
    from standalone.server import check_tls, configure, listen
    from standalone.server import serve as run

    data: Path | None = ctx.obj["data"]
    if data is None:
        raise click.UsageError("serve needs a data directory (--data); on AWS, API Gateway serves")
    if settings.current().luadns_engine == "route53":
        raise click.UsageError("Route 53 publishes zones on AWS only; on one machine use --dns-port")
    if transport.is_on() and not (base_url or url_of("")):
        raise click.UsageError("mails contain links: with MOONBASE_SMTP_URL, set --base-url or MOONBASE_MAIL_BASE_URL")
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key need each other")
    if http_port is not None and tls_cert is None:
        raise click.UsageError("--http-port is for a server with TLS: without --tls-cert, --port serves http")
    if tls_cert and tls_key:
        check_tls(tls_cert, tls_key)
    new = is_new(data)
    check_data(data)  # a fault is reported here once, instead of by every worker
    if dns_port:
        registry.current().require_offered("luadns")
    config = configure(
        partial(make_site, data, base_url, serves_dns=dns_port > 0),
        host=host,
        port=port,
        workers=workers,
        max_body=settings.current().max_body,
        body_memory=settings.current().body_memory,
        trusted_proxies=trusted_proxies,
        tls_cert=tls_cert,
        tls_key=tls_key,
    )
    self_test.warn()
    dns = [_listen_for_dns(each, dns_port) for each in dns_host or (host,)] if dns_port else []
    # After everything else that can fail: the connections of waiting clients would be reset.
    listener = listen(config)
    plain = listen(config, http_port) if http_port is not None else None
    if dns:
        _serve_dns(data, dns)
    name = f"[{host}]" if ":" in host else host
    url = base_url or f"{'https' if config.is_ssl else 'http'}://{name}:{listener.getsockname()[1]}"
    started = {"url": url, "data": str(data), "new": new}
    text = "".join(
        [_WELCOME, _NEW if new else "", _STEPS, _LUAROCKS_STEPS if registry.current().offers("luarocks") else ""]
    )
    click.echo(json.dumps(started) if ctx.obj["as_json"] else text.format(command=COMMAND, **started))
    run(config, listener, plain)


def _listen_for_dns(host: str, port: int) -> "Sockets":
    from standalone.dns.server import listen

    return listen(host, port)


def _serve_dns(data: Path, listening: "Sequence[Sockets]") -> None:
    from standalone.dns import process

    process.start(data, listening)
