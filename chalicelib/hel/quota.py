"""The quota of an account: packages, their documents, and stored files."""

from chalicelib import settings
from chalicelib.core.errors import Forbidden
from chalicelib.core.storage import Transaction
from chalicelib.hel.tables import Usage

_BLOCK = 4096


def of_file(size: int) -> int:
    """The charge for a stored file in bytes: whole blocks, so that a million files of one byte are not free."""
    return max(1, -(-size // _BLOCK)) * _BLOCK


def charge(writes: Transaction, account_id: int, **amounts: int) -> None:
    """Charge amounts (`packages`, `package_bytes`, `file_bytes`; negative: release) to an account in a transaction.

    Raises Forbidden if an amount alone exceeds the quota; otherwise the transaction raises it.
    """
    limits, usage = _limits(), Usage(f"usage#{account_id}", "usage")
    actions = [Usage.kind.set(Usage), *(getattr(Usage, name).add(amount) for name, amount in amounts.items() if amount)]
    condition = None
    for name, amount in amounts.items():
        if amount > 0:
            if amount > limits[name]:
                raise _exceeded()
            used = getattr(Usage, name)
            fits = used.does_not_exist() | (used <= limits[name] - amount)
            condition = condition & fits if condition is not None else fits
    writes.update(usage, actions, condition, _exceeded())


def check(account_id: int, **amounts: int) -> None:
    """Raise Forbidden if the amounts exceed the quota now; called before bytes are written."""
    usage = Usage.find(f"usage#{account_id}", "usage") or Usage()
    limits = _limits()
    if any(getattr(usage, name) + amount > limits[name] for name, amount in amounts.items()):
        raise _exceeded()


def _limits() -> dict[str, int]:
    chosen = settings.current()
    return {
        "packages": chosen.hel_packages,
        "package_bytes": chosen.hel_package_bytes,
        "file_bytes": chosen.hel_file_bytes,
    }


def _exceeded() -> Forbidden:
    limits = _limits()
    return Forbidden(
        f"The quota is exceeded: an account has at most {limits['packages']} packages, "
        f"{limits['package_bytes']} bytes of package data and {limits['file_bytes']} bytes of files."
    )
