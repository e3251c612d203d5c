"""Package URLs (purl), by which inventories of software name modules: `pkg:luarocks/USER/NAME@VERSION`."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from chalicelib.core.errors import Invalid
from chalicelib.luarocks.entry import ModuleEntry
from chalicelib.web.request import Request

# The qualifiers and the subpath after a version do not matter here: they name a server, or a part of the module.
_PURL = re.compile(
    r"pkg:/*luarocks/(?:(?P<user>[^/@?#]+)/)?(?P<name>[^/@?#]+)(?:@(?P<version>[^?#]+))?(?:[?#].*)?", re.I
)
_LONGEST = 1000


@dataclass(frozen=True)
class Purl:
    """A module: that of a user, or without one that of the root; and one of its versions, or none."""

    user: str | None
    name: str
    version: str | None


def of(request: Request, module: ModuleEntry, version: str | None = None) -> str:
    """The package URL of a module of this server, or of a version."""
    path = "/".join(quote(part, safe="") for part in (module.user, module.name))
    suffix = f"@{quote(version, safe='')}" if version else ""
    return f"pkg:luarocks/{path}{suffix}?repository_url={quote(request.base_url, safe=':/')}"


def parse(text: str) -> Purl:
    """Parse a package URL. Raises Invalid."""
    found = _PURL.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise Invalid("purl must be a package URL such as pkg:luarocks/USER/NAME@VERSION")
    user, name, version = (unquote(part) if part else None for part in found.groups())
    return Purl(user, name or "", version)
