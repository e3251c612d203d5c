"""Find a zone by its name, for the commands of `moonbase luadns`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.luadns.store import Owner
    from chalicelib.luadns.tables import Record, Zone


def open_zone(name: str) -> "tuple[Owner, Zone, list[Record]]":
    """The zone with this name of any account: its owner, the zone, and its records. Raises NotFound."""
    from chalicelib.core.errors import NotFound
    from chalicelib.luadns import store
    from chalicelib.luadns.store import Owner

    name = name.lower().removesuffix(".")
    claim = store.claims([name]).get(name)
    if claim is None:
        raise NotFound(f"There is no zone {name}.")
    owner = Owner(int(claim.account_id))
    return owner, *store.contents(owner, int(claim.zone_id))
