"""`moonbase user`: accounts."""

from typing import Any

import click

from chalicelib.core import accounts, passwords
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


def _row(account: Account) -> dict[str, Any]:
    return {
        "id": int(account.id),
        "username": account.username,
        "email": account.email,
        "rank": account.rank,
        "suspended": account.suspended,
    }
