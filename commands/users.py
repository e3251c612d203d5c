"""`moonbase user`: accounts."""

from typing import Any

import click

from chalicelib.core.identity import accounts, passwords
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account
from commands import asking
from commands.choices import RANK


@click.group()
def user() -> None:
    """Accounts, which are valid in all four APIs."""


@user.command()
@click.argument("name")
@click.option("--email", required=True, help="The e-mail address; unique, like the name.")
@click.option("--password", help="At least 8 characters. Without one log-in is impossible; keys still work.")
@click.option("--rank", default="MEMBER", show_default=True, type=RANK, help="What the account may do.")
@click.option("--admin", is_flag=True, help="Same as --rank ADMIN.")
def create(name: str, email: str, password: str | None, rank: str, admin: bool) -> dict[str, Any]:
    """Create an account."""
    if password is not None:
        passwords.check_chosen(password, name, email)
    account = accounts.create(name, email, password, "ADMIN" if admin else rank)
    return {"id": int(account.id), "username": account.username}


@user.command("list")
def list_() -> list[dict[str, Any]]:
    """List all accounts, oldest first."""
    return [_row(account) for account in accounts.list_accounts()]


@user.command()
@click.argument("name")
def show(name: str) -> dict[str, Any]:
    """Show one account."""
    account = accounts.named(name)
    return {
        **_row(account),
        "created_at": account.created_at.isoformat(),
        "two_factor": account.two_factor is not None,
        "second_factor_for_uploads": account.second_factor_for_uploads,
    }


@user.command()
@click.argument("name")
def suspend(name: str) -> dict[str, Any]:
    """Suspend an account; its files remain."""
    account = accounts.named(name)
    accounts.suspend(account)
    return _row(account)


@user.command()
@click.argument("name")
def restore(name: str) -> dict[str, Any]:
    """Restore a suspended account."""
    account = accounts.named(name)
    accounts.restore(account)
    return _row(account)


@user.command()
@click.argument("name")
@click.argument("rank", type=RANK)
def rank(name: str, rank: str) -> dict[str, Any]:
    """Set the RANK of the account NAME; ADMIN makes an administrator."""
    account = accounts.named(name)
    writes = Transaction()
    accounts.change(account, writes, rank=rank)
    writes.commit()
    return _row(account)


@user.command()
@click.argument("name")
@click.option("--password", callback=asking.password, help="At least 8 characters; if omitted, you are asked for it.")
def password(name: str, password: str) -> dict[str, Any]:
    """Set the password of the account NAME, and end its sessions."""
    account = accounts.named(name)
    passwords.check_chosen(password, account.username, account.email)
    accounts.set_password(account, password)
    return _row(account)


@user.command()
@click.argument("name")
@click.argument("address")
def email(name: str, address: str) -> dict[str, Any]:
    """Set the e-mail ADDRESS of the account NAME. It has to be confirmed again."""
    account = accounts.named(name)
    accounts.set_email(account, address)
    return _row(account)


@user.command()
@click.argument("name")
@click.option("--transfer-to", "heir", metavar="NAME", help="The account that gets the works.")
@click.option("--remove-works", is_flag=True, help="Remove the works.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def delete(ctx: click.Context, name: str, heir: str | None, remove_works: bool, yes: bool) -> dict[str, Any]:
    """Delete the account NAME for good; nobody else gets its name.

    Its keys and sessions end, and its e-mail address, second factor and password are erased. If it has works, they are
    transferred or removed. After an error the same command continues.
    """
    from chalicelib.core import deletion

    if heir and remove_works:
        raise click.UsageError("--transfer-to and --remove-works exclude each other", ctx)
    account = accounts.named(name)
    asking.confirm(ctx, f"Delete the account {account.username} for good?")
    steps = deletion.delete(account, accounts.named(heir) if heir else None, removes=remove_works)
    return {"username": account.username, "done": list(steps)}


def _row(account: Account) -> dict[str, Any]:
    return {
        "id": int(account.id),
        "username": account.username,
        "email": account.email,
        "rank": account.rank,
        "suspended": account.suspended,
    }
