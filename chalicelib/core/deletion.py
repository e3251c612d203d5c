"""Deletes an account: transfers or removes its works, ends its credentials, and erases its personal data.

The account is suspended first, and erased last. A deletion that fails in between, such as when the heir has a module of
the same name, is continued by the same call. The item and the claim of the username stay: nobody else gets the name,
and old entries of the audit log stay readable.
"""

from collections.abc import Iterator

from pynamodb.expressions.condition import Condition

from chalicelib.core import audit, registry
from chalicelib.core.caller import Actor
from chalicelib.core.declaration import Belongings
from chalicelib.core.errors import Conflict, Invalid
from chalicelib.core.identity import accounts, credentials
from chalicelib.core.outbound import ssh_keys
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, Claim, CoreItem, now
from chalicelib.core.webhooks import hooks

# The caller of operations that need one. Its actions are in the log of account 0, which does not exist.
CONSOLE = Actor(0, "the command line")


def works_of(account: Account) -> dict[str, list[str]]:
    """What the account has, by the title of its kind: only kinds with something."""
    found = {each.title: each.names(account) for each in _belongings()}
    return {title: names for title, names in found.items() if names}


def delete(account: Account, heir: Account | None = None, *, removes: bool = False) -> Iterator[str]:
    """Delete an account, and yield a line for each step.

    Its works go to `heir`, or are removed with `removes`; with neither it must have none. Raises Conflict for an
    administrator, for a deleted account, and for works that cannot go to the heir; Invalid for a bad heir.
    """
    _check(account, heir, removes)
    if not account.suspended:
        accounts.suspend(account)
    yield f"suspended {account.username}"
    for credential in credentials.list_credentials(account):
        if not credential.revoked_at:
            credentials.revoke(credential)
    for each in _belongings():
        for name in each.names(account):
            if heir and each.transfer:
                each.transfer(account, heir, name)
                yield f"transferred {name} to {heir.username}"
            else:
                each.remove(account, name)
                yield f"removed {name}"
        each.leave(account, removes)
    _erase_items(account)
    _erase(account)
    yield f"deleted {account.username}"


def _check(account: Account, heir: Account | None, removes: bool) -> None:
    if account.deleted_at:
        raise Conflict(f"The account {account.username} has been deleted already.")
    if account.rank == "ADMIN":
        raise Conflict(f"{account.username} is an administrator: set another rank first.")
    if heir and (heir.id == account.id or heir.suspended):
        raise Invalid(f"{heir.username} cannot get the works: choose another account that is not suspended.")
    works = works_of(account)
    if works and not heir and not removes:
        listed = "; ".join(f"{title}: {', '.join(names)}" for title, names in works.items())
        raise Conflict(f"{account.username} still has works. Transfer or remove them. {listed}")
    stuck = [each.title for each in _belongings() if each.title in works and each.transfer is None]
    if heir and stuck:
        raise Conflict(f"These cannot be transferred, remove them first: {', '.join(stuck)}.")


def _belongings() -> Iterator[Belongings]:
    for declaration in registry.current().declarations:
        yield from declaration.belongings


def _erase_items(account: Account) -> None:
    """Delete the account's other items: second factor, notifications, devices, SSH key, webhooks."""
    number = int(account.id)
    owned = [account.pk, f"inbox#{number}", f"devices#{number}", f"familiar#{account.username.lower()}"]
    owned += [ssh_keys.pk_of(ssh_keys.of_account(number)), *hooks.partitions(hooks.of_account(number))]
    with CoreItem.batch_write() as batch:
        for pk in owned:
            for item in CoreItem.query(pk):
                if item.sk != "account":
                    batch.delete(item)


def _erase(account: Account) -> None:
    """Erase everything personal but the username, and free the e-mail address."""
    erased = {
        "email": "",
        "password_hash": None,
        "two_factor": None,
        "confirmed_email": None,
        "channels": None,
        "listing": None,
        "deleted_at": now(),
    }
    writes, before = Transaction(), account.email
    unchanged: Condition = (Account.email == before) & (Account.suspended == True)  # noqa: E712
    meanwhile = Conflict("The account was changed meanwhile: repeat the deletion.")
    writes.update(account, account.assign(**erased), unchanged, meanwhile)
    writes.delete(Claim(f"email#{before.lower()}", "claim"))
    writes.put(audit.entry(int(account.id), "account.delete", account.pk))
    writes.commit()
