"""`moonbase luadns`: access to LuaDNS' API, and zones."""

from pathlib import Path
from typing import Any

import click

from commands.luadns_build import build
from commands.luadns_history import history, revert
from commands.luadns_opening import open_zone
from commands.luadns_repository import builds, repository
from commands.luadns_secondaries import secondary, tsig


@click.group()
def luadns() -> None:
    """LuaDNS' API and zones."""


@luadns.command("list")
@click.option("--account", metavar="ACCOUNT", help="Only zones of this account.")
def list_zones(account: str | None) -> list[dict[str, Any]]:
    """List the zones of all accounts, by name."""
    from chalicelib.core.identity import accounts
    from chalicelib.luadns import store
    from chalicelib.luadns.store import Owner

    owners = [accounts.named(account)] if account else list(accounts.list_accounts())
    zones = [(owner, zone) for owner in owners for zone in store.zones(Owner(int(owner.id)))]
    return [
        {
            "zone": zone.name,
            "account": owner.username,
            "records": int(zone.records_count),
            "serial": int(zone.serial),
            "updated_at": zone.updated_at.isoformat(timespec="seconds"),
        }
        for owner, zone in sorted(zones, key=lambda pair: pair[1].name)
    ]


@luadns.command()
@click.argument("name")
def enable(name: str) -> dict[str, Any]:
    """Enable LuaDNS' API for the account NAME. It is disabled by default."""
    return _switch(name, True)


@luadns.command()
@click.argument("name")
def disable(name: str) -> dict[str, Any]:
    """Disable LuaDNS' API for the account NAME; its zones remain."""
    return _switch(name, False)


@luadns.command()
@click.argument("zone")
def sync(zone: str) -> dict[str, Any]:
    """Publish ZONE now.

    It gets the name servers of the settings, and loses the changes that were made at Route 53.
    """
    from chalicelib.luadns import engines, zones

    owner, found, _ = open_zone(zone)
    moved = zones.move_servers(owner, int(found.id))
    _, found, _ = open_zone(zone)
    engine = engines.current()
    done = engine.sync(found)
    return {
        "zone": found.name,
        "changed": moved or done.changed,
        "synced": engine.synced(found),
        "refused": [f"{name} {reason}" for name, reason in done.rejected],
        "name_servers": list(done.name_servers),
        **_warning(),
    }


@luadns.command()
@click.argument("zone")
@click.option(
    "--format", "form", type=click.Choice(["bind", "lua"]), default="bind", show_default=True, help="Of the file."
)
@click.pass_context
def export(ctx: click.Context, zone: str, form: str) -> dict[str, Any] | None:
    """Print ZONE as a BIND zone file, or as a zone file in Lua, which `luadns build` reads."""
    from chalicelib.luadns import zonefile
    from chalicelib.luadns.language import export as language

    _, found, records = open_zone(zone)
    text = language.export(found, records) if form == "lua" else zonefile.export(found, records)
    if ctx.obj["as_json"]:
        return {"zone": found.name, "text": text}
    click.echo(text, nl=False)
    return None


@luadns.command("import")
@click.argument("zone")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--replace", is_flag=True, help="Delete records that are not in the file; default: other names and types remain."
)
def import_(zone: str, file: Path, replace: bool) -> dict[str, Any]:
    """Import the records of FILE into ZONE: all or none.

    FILE is a BIND zone file; - is standard input.
    """
    from chalicelib.luadns import zonefile

    owner, found, _ = open_zone(zone)
    with click.open_file(str(file), encoding="utf-8-sig") as stream:
        text = stream.read()
    after, records = zonefile.load(owner, int(found.id), text, None, replace=replace)
    return {"zone": after.name, "records": len(records), "serial": int(after.serial)}


def _switch(name: str, on: bool) -> dict[str, Any]:
    from chalicelib.core.identity import accounts
    from chalicelib.luadns.auth import SWITCH

    account = accounts.named(name)
    accounts.switch(account, SWITCH, on)
    return {"username": account.username, "luadns": accounts.is_on(account, SWITCH), **(_warning() if on else {})}


def _warning() -> dict[str, str]:
    """A warning if zones get name servers that nobody can reach."""
    from chalicelib.luadns import engines

    if not any(server.endswith(".localhost.") for server in engines.current().name_servers()):
        return {}
    return {
        "warning": "zones have the name servers ns1.localhost. and ns2.localhost.: set MOONBASE_LUADNS_NAME_SERVERS, "
        "and run `moonbase luadns sync ZONE` for zones that exist"
    }


for command in (build, builds, repository, history, revert, secondary, tsig):
    luadns.add_command(command)
