"""`moonbase luarocks`: modules and manifests, for administrators."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from commands import asking
from commands.rocks_check import check_rocks
from commands.rocks_import import import_rocks

if TYPE_CHECKING:
    from chalicelib.core.catalogues.snapshots import Entry
    from chalicelib.luarocks.entry import ModuleEntry


class ModuleName(click.ParamType[tuple[str, str]]):
    """USER/NAME, as in `luarocks install USER/NAME`."""

    name = "USER/NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        user, slash, name = str(value).partition("/")
        if not (user and slash and name):
            self.fail(f"{value} is not USER/NAME", param, ctx)
        return user, name


MODULE = ModuleName()


@click.group()
def luarocks() -> None:
    """Modules and manifests of LuaRocks."""


luarocks.add_command(import_rocks)
luarocks.add_command(check_rocks)


@luarocks.command("list")
@click.option("--user", metavar="ACCOUNT", help="Only modules below this account's path.")
def list_modules(user: str | None) -> list[dict[str, Any]]:
    """List the modules, archived ones too."""
    from chalicelib.luarocks import documents, downloads, index

    snapshot = index.catalogue.snapshot()
    found = snapshot.entries if user is None else index.modules(snapshot, index.user_group(user.lower()))
    values = (each.value for each in found.values())
    return [
        {
            "module": f"{value.user}/{value.name}",
            "newest": next(iter(documents.newest_first(value)), None),
            "versions": len(value.versions),
            "root": value.in_root,
            "archived": value.archived,
            "downloads": downloads.total(value),
        }
        for value in sorted(values, key=lambda value: (value.user, value.name))
    ]


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
def show(module: tuple[str, str]) -> dict[str, Any]:
    """Show one module."""
    from chalicelib.luarocks import index, modules

    return _row(modules.get(index.catalogue.snapshot(), *module).value)


@luarocks.group()
def owner() -> None:
    """Further owners of a module, besides the account in its path."""


@owner.command("add")
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.argument("name", metavar="ACCOUNT")
def add_owner(module: tuple[str, str], name: str) -> dict[str, Any]:
    """Make ACCOUNT an owner of a module, without an invitation."""
    from chalicelib.core.identity import accounts
    from chalicelib.luarocks import ownership

    return _found_row(ownership.add(*module, accounts.named(name), None))


@owner.command("remove")
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.argument("name", metavar="ACCOUNT")
def remove_owner(module: tuple[str, str], name: str) -> dict[str, Any]:
    """Remove ACCOUNT from the owners of a module."""
    from chalicelib.core.identity import accounts
    from chalicelib.luarocks import ownership

    return _found_row(ownership.remove(*module, accounts.named(name), None))


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.argument("name", metavar="ACCOUNT")
def transfer(module: tuple[str, str], name: str) -> dict[str, Any]:
    """Move a module to ACCOUNT; the previous account remains an owner."""
    from chalicelib.core.identity import accounts
    from chalicelib.luarocks import ownership

    return _found_row(ownership.transfer(*module, accounts.named(name), None))


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
def root(module: tuple[str, str]) -> dict[str, Any]:
    """List a module in the root manifest, instead of another one of its name."""
    from chalicelib.luarocks import modules

    return _found_row(modules.take_root(*module, None))


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.option("--version", help="Only this version.")
@click.option("--reason", metavar="TEXT", help="Why, in a line that everyone can read.")
def archive(module: tuple[str, str], version: str | None, reason: str | None) -> dict[str, Any]:
    """Remove a module, or one version, from the manifests; its files remain."""
    return _archive(module, version, archived=True, reason=reason)


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.option("--version", help="Only this version.")
def unarchive(module: tuple[str, str], version: str | None) -> dict[str, Any]:
    """List an archived module or version again."""
    return _archive(module, version, archived=False)


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.option("--off", is_flag=True, help="Let its files be replaced again.")
def immutable(module: tuple[str, str], off: bool) -> dict[str, Any]:
    """Never let a published file of a module be replaced."""
    from chalicelib.luarocks import modules

    return _found_row(modules.edit(*module, None, immutable=not off))


@luarocks.command()
@click.argument("module", metavar="USER/NAME", type=MODULE)
@click.option("--version", help="Only this version, with its rocks.")
@click.option("--arch", help="Only this rock of the version.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(
    ctx: click.Context, module: tuple[str, str], version: str | None, arch: str | None, yes: bool
) -> dict[str, Any]:
    """Delete a module, for good."""
    from chalicelib.luarocks import removal

    if arch and not version:
        raise click.UsageError("--arch needs --version")
    subject = " ".join(filter(None, ["/".join(module), version, arch]))
    asking.confirm(ctx, f"Delete {subject} for good?")
    if version and arch:
        removal.delete_rock(*module, version, arch, None)
    elif version:
        removal.delete_version(*module, version, None)
    else:
        removal.delete_module(*module, None)
    return {"deleted": subject}


@luarocks.command()
@click.argument("name", metavar="ACCOUNT")
def audit(name: str) -> list[dict[str, Any]]:
    """List the files of an account's modules that were replaced since their first upload."""
    from chalicelib.core.identity import accounts
    from chalicelib.luarocks import index, security_audit, wire

    found = security_audit.replaced(index.catalogue.snapshot(), accounts.named(name))
    return [{**asdict(one), "updated_at": wire.render_date(one.updated_at)} for one in found]


@luarocks.group()
def manifest() -> None:
    """Custom manifests: selections of modules below /m/NAME."""


@manifest.command("list")
def list_manifests() -> list[dict[str, Any]]:
    """List all custom manifests."""
    from chalicelib.luarocks import custom_manifests, documents

    return [documents.manifest_row(each) for each in custom_manifests.list_manifests()]


@manifest.command("show")
@click.argument("name")
def show_manifest(name: str) -> dict[str, Any]:
    """Show one manifest and its modules."""
    from chalicelib.luarocks import custom_manifests, documents, index

    found = custom_manifests.get(name)
    listed = index.modules(index.catalogue.snapshot(), index.manifest_group(found.name))
    return {**documents.manifest_row(found), "modules": sorted(listed)}


@manifest.command("create")
@click.argument("name")
@click.option("--admin", required=True, help="The account that manages it.")
@click.option("--open", "is_open", is_flag=True, help="Let all users add their own modules.")
@click.option("--description", help="A description for its page.")
def create_manifest(name: str, admin: str, is_open: bool, description: str | None) -> dict[str, Any]:
    """Create the manifest NAME."""
    from chalicelib.core.identity import accounts
    from chalicelib.luarocks import custom_manifests, documents

    details = {"is_open": is_open, "description": description}
    return documents.manifest_row(custom_manifests.create(name, accounts.named(admin), None, **details))


@manifest.command("delete")
@click.argument("name")
def delete_manifest(name: str) -> dict[str, Any]:
    """Delete the manifest NAME, which must be empty."""
    from chalicelib.luarocks import custom_manifests

    custom_manifests.delete(name, None)
    return {"deleted": name}


@manifest.command("add")
@click.argument("name")
@click.argument("modules", metavar="USER/NAME...", type=MODULE, nargs=-1, required=True)
def add_to_manifest(name: str, modules: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    """List modules in the manifest NAME."""
    from chalicelib.luarocks import custom_manifests

    return [_found_row(custom_manifests.add(name, *module, None)) for module in modules]


@manifest.command("remove")
@click.argument("name")
@click.argument("modules", metavar="USER/NAME...", type=MODULE, nargs=-1, required=True)
def remove_from_manifest(name: str, modules: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    """Remove modules from the manifest NAME."""
    from chalicelib.luarocks import custom_manifests

    return [_found_row(custom_manifests.remove(name, *module, None)) for module in modules]


def _archive(
    module: tuple[str, str], version: str | None, *, archived: bool, reason: str | None = None
) -> dict[str, Any]:
    from chalicelib.luarocks import modules, removal

    if version:
        return _found_row(removal.edit_version(*module, version, None, {"archived": archived, "reason": reason}))
    return _found_row(modules.edit(*module, None, archived=archived, reason=reason))


def _found_row(entry: "Entry[ModuleEntry] | None") -> dict[str, Any]:
    return _row(entry.value) if entry else {}


def _row(value: "ModuleEntry") -> dict[str, Any]:
    from chalicelib.luarocks import documents, downloads, lasting

    archived = {name: version.archive_reason for name, version in value.versions.items() if version.archived}
    return {
        "module": f"{value.user}/{value.name}",
        "owners": ", ".join([value.user, *value.owners]),
        "invited": ", ".join(value.invited) or None,
        "root": value.in_root,
        "archived": value.archived,
        "reason": value.archive_reason,
        "immutable": lasting.is_immutable(value),
        "manifests": ", ".join(value.manifests) or None,
        "versions": ", ".join(documents.newest_first(value)),
        "archived_versions": ", ".join(f"{name} ({why})" if why else name for name, why in archived.items()) or None,
        "downloads": downloads.total(value),
    }
