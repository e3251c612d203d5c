"""`moonbase luadns secondary | tsig`: the secondary name servers of zones, and keys that sign DNS messages."""

from typing import TYPE_CHECKING, Any

import click

from commands.luadns_opening import open_zone

if TYPE_CHECKING:
    from chalicelib.luadns.store import Owner
    from chalicelib.luadns.tables import TsigKey, Zone


@click.group()
def secondary() -> None:
    """Secondary name servers: who may transfer a zone, and who is notified of its changes."""


@secondary.command("list")
@click.argument("zone")
def list_secondaries(zone: str) -> list[dict[str, Any]]:
    """List the secondaries of ZONE."""
    from chalicelib.luadns import secondaries

    _, found, _ = open_zone(zone)
    return [each._asdict() for each in secondaries.of_zone(found)]


@secondary.command("add")
@click.argument("zone")
@click.argument("address")
@click.option("--port", default=53, show_default=True, help="The port for NOTIFY.")
@click.option("--key", metavar="NAME", help="A TSIG key that must sign its requests, and signs NOTIFY.")
@click.option("--no-notify", is_flag=True, help="Send no NOTIFY.")
def add_secondary(zone: str, address: str, port: int, key: str | None, no_notify: bool) -> list[dict[str, Any]]:
    """Let ADDRESS, an IP address or a network, transfer ZONE."""
    from chalicelib.luadns import secondaries
    from chalicelib.luadns.secondaries import Secondary

    owner, found, _ = open_zone(zone)
    existing = [each for each in secondaries.of_zone(found) if (each.address, each.port) != (address, port)]
    return _replace(owner, found, [*existing, Secondary(address, port, key, not no_notify)])


@secondary.command("remove")
@click.argument("zone")
@click.argument("address")
def remove_secondary(zone: str, address: str) -> list[dict[str, Any]]:
    """Do not let ADDRESS transfer ZONE any more."""
    from chalicelib.core.errors import NotFound
    from chalicelib.luadns import secondaries

    owner, found, _ = open_zone(zone)
    existing = secondaries.of_zone(found)
    left = [each for each in existing if each.address != address]
    if len(left) == len(existing):
        raise NotFound(f"{found.name} has no secondary {address}.")
    return _replace(owner, found, left)


@click.group()
def tsig() -> None:
    """TSIG keys: they sign zone transfers, NOTIFY and dynamic updates."""


@tsig.command("list")
@click.argument("account")
def list_keys(account: str) -> list[dict[str, Any]]:
    """List the TSIG keys of ACCOUNT, without their secrets."""
    from chalicelib.luadns import tsig_keys

    return [_shown(key) for key in tsig_keys.listed(_owner(account))]


@tsig.command("create")
@click.argument("account")
@click.argument("name")
@click.option("--scope", required=True, metavar="SCOPE", help="transfer:ZONE, update:ZONE or acme:NAME.")
@click.option("--algorithm", default="hmac-sha256", show_default=True, help="hmac-sha256 or hmac-sha512.")
def create_key(account: str, name: str, scope: str, algorithm: str) -> dict[str, Any]:
    """Create a TSIG key of ACCOUNT and print it. NAME is a domain name, such as transfer.example.com."""
    from chalicelib.luadns import tsig_keys

    key, secret = tsig_keys.create(_owner(account), name, algorithm, scope)
    return {**_shown(key), "secret": secret}


@tsig.command("delete")
@click.argument("account")
@click.argument("name")
def delete_key(account: str, name: str) -> dict[str, Any]:
    """Delete a TSIG key of ACCOUNT."""
    from chalicelib.luadns import tsig_keys

    return _shown(tsig_keys.delete(_owner(account), name))


def _replace(owner: "Owner", zone: "Zone", wanted: list[Any]) -> list[dict[str, Any]]:
    from chalicelib.luadns import secondaries, transfer_access

    return [each._asdict() for each in secondaries.of_zone(transfer_access.replace(owner, int(zone.id), wanted))]


def _owner(account: str) -> "Owner":
    from chalicelib.core.identity import accounts
    from chalicelib.luadns.store import Owner

    return Owner(int(accounts.named(account).id))


def _shown(key: "TsigKey") -> dict[str, Any]:
    return {"name": key.name, "algorithm": key.algorithm, "scope": key.scope}
