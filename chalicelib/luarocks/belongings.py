"""What an account has in LuaRocks, for its deletion: modules and manifests, and ownerships of others' modules."""

from chalicelib.core.declaration import Belongings
from chalicelib.core.tables import Account
from chalicelib.luarocks import custom_manifests, index, ownership, removal
from chalicelib.luarocks.tables import Manifest


def _modules(account: Account) -> list[str]:
    found = index.modules(index.catalogue.snapshot(), index.owner_group(int(account.id)))
    return sorted(key for key, entry in found.items() if entry.value.user_id == account.id)


def _remove_module(account: Account, name: str) -> None:
    removal.delete_module(*_parts(name), None)


def _transfer_module(account: Account, heir: Account, name: str) -> None:
    user, module = _parts(name)
    ownership.transfer(user, module, heir, None)
    ownership.remove(heir.username, module, account, None)


def _leave_modules(account: Account, removes: bool) -> None:
    """Give up ownerships and invitations."""
    number = int(account.id)
    for key, entry in index.catalogue.snapshot().entries.items():
        if number in (*entry.value.owners.values(), *entry.value.invited.values()):
            ownership.remove(*_parts(key), account, None)


def _manifests(account: Account) -> list[str]:
    """The manifests of which the account is the only admin."""
    return [f"m/{manifest.name}" for manifest in _administered(account) if len(manifest.admins) == 1]


def _remove_manifest(account: Account, name: str) -> None:
    manifest = name.removeprefix("m/")
    listed = index.modules(index.catalogue.snapshot(), index.manifest_group(manifest))
    for key in listed:
        custom_manifests.remove(manifest, *_parts(key), None)
    custom_manifests.delete(manifest, None)


def _transfer_manifest(account: Account, heir: Account, name: str) -> None:
    custom_manifests.add_admin(name.removeprefix("m/"), heir, None)
    custom_manifests.remove_admin(name.removeprefix("m/"), account, None)


def _leave_manifests(account: Account, removes: bool) -> None:
    for manifest in _administered(account):
        custom_manifests.remove_admin(manifest.name, account, None)


def _administered(account: Account) -> list[Manifest]:
    return [one for one in custom_manifests.list_manifests() if int(account.id) in one.admins.values()]


def _parts(key: str) -> tuple[str, str]:
    user, _, name = key.partition("/")
    return user, name


BELONGINGS = (
    Belongings("LuaRocks manifests", _manifests, _remove_manifest, _transfer_manifest, _leave_manifests),
    Belongings("LuaRocks modules", _modules, _remove_module, _transfer_module, _leave_modules),
)
