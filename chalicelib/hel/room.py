"""The quota of an account: packages, their documents, and stored files."""

from chalicelib import settings
from chalicelib.core.errors import Forbidden
from chalicelib.core.storage import Transaction
from chalicelib.hel.tables import Usage

_BLOCK = 4096


def of_file(size: int) -> int:
    """The charge for a stored file: whole blocks, so that a million files of one byte are not free."""
    return -(-size // _BLOCK) * _BLOCK


def take(writes: Transaction, account_id: int, **room: int) -> None:
    """Charge the quota (`packages`, `package_bytes`, `file_bytes`; negative: release) in a transaction.

    Raises Forbidden if the amount alone exceeds the quota; otherwise the transaction raises it.
    """
    most, usage = _most(), Usage(f"usage#{account_id}", "usage")
    actions = [Usage.kind.set(Usage), *(getattr(Usage, what).add(more) for what, more in room.items() if more)]
    condition = None
    for what, more in room.items():
        if more > 0:
            if more > most[what]:
                raise _full()
            field = getattr(Usage, what)
            fits = field.does_not_exist() | (field <= most[what] - more)
            condition = condition & fits if condition is not None else fits
    writes.update(usage, actions, condition, _full())


def check(account_id: int, **room: int) -> None:
    """Raise Forbidden if the quota is exceeded now; called before bytes are written."""
    usage = Usage.find(f"usage#{account_id}", "usage") or Usage()
    most = _most()
    if any(getattr(usage, what) + more > most[what] for what, more in room.items()):
        raise _full()


def _most() -> dict[str, int]:
    chosen = settings.current()
    return {
        "packages": chosen.hel_packages,
        "package_bytes": chosen.hel_package_bytes,
        "file_bytes": chosen.hel_file_bytes,
    }


def _full() -> Forbidden:
    most = _most()
    return Forbidden(
        f"There is no more room: an account has at most {most['packages']} packages, "
        f"{most['package_bytes']} bytes of package data and {most['file_bytes']} bytes of files."
    )
