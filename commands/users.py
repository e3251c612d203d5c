"""`moonbase user`: accounts."""

from typing import Any

import click

from chalicelib.core import accounts, audit
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account


@click.group()
def user() -> None:
    """Accounts, which serve all four APIs."""


@user.command()
@click.argument("name")
@click.option("--email", required=True, help="Unique, like the name.")
@click.option("--password", help="Without one nobody can log in; keys work all the same.")
@click.option("--rank", default="MEMBER", show_default=True, type=click.Choice(accounts.RANKS, case_sensitive=False))
@click.option("--admin", is_flag=True, help="The same as --rank ADMIN.")
def create(name: str, email: str, password: str | None, rank: str, admin: bool) -> dict[str, Any]:
    """Open an account."""
    account = accounts.create(name, email, password, "ADMIN" if admin else rank)
    return {"id": int(account.id), "username": account.username}


@user.command("list")
def list_() -> list[dict[str, Any]]:
    """All accounts, oldest first."""
    return [_row(account) for account in accounts.listed()]


@user.command()
@click.argument("name")
def show(name: str) -> dict[str, Any]:
    """One account."""
    account = accounts.named(name)
    return {
        **_row(account),
        "created_at": account.created_at.isoformat(),
        "two_factor": account.two_factor is not None,
        "second_factor_for_uploads": account.second_factor_for_uploads,
    }


@user.command()
@click.argument("name")
def activity(name: str) -> list[dict[str, Any]]:
    """What was done by the account NAME, and to it, newest first."""
    return [
        {
            "at": entry.at.isoformat(timespec="seconds"),
            "action": entry.action,
            "subject": entry.subject,
            "by": int(entry.by_account_id) if entry.by_account_id else None,
            "key": int(entry.credential_id) if entry.credential_id else None,
        }
        for entry in audit.entries(int(accounts.named(name).id))
    ]


@user.command()
@click.argument("name")
def suspend(name: str) -> dict[str, Any]:
    """Close an account; its files stay."""
    account = accounts.named(name)
    accounts.suspend(account)
    return _row(account)


@user.command()
@click.argument("name")
def restore(name: str) -> dict[str, Any]:
    """Open a suspended account again."""
    account = accounts.named(name)
    accounts.restore(account)
    return _row(account)


@user.command()
@click.argument("name")
@click.argument("rank", type=click.Choice(accounts.RANKS, case_sensitive=False))
def rank(name: str, rank: str) -> dict[str, Any]:
    """Give the account NAME another RANK; the first administrator is made by ADMIN."""
    account = accounts.named(name)
    writes = Transaction()
    accounts.change(account, writes, rank=rank)
    writes.commit()
    return _row(account)


@user.command()
@click.argument("name")
@click.password_option(help="Asked for when it is left out.")
def password(name: str, password: str) -> dict[str, Any]:
    """Set the password of the account NAME, whose sessions end."""
    account = accounts.named(name)
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
