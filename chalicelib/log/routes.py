"""The transparency log for clients, by C2SP tlog-tiles; docs/log.md describes it."""

from collections.abc import Callable

from chalicelib.core.transparency import keys, log, proofs
from chalicelib.core.transparency.keys import PREFIX
from chalicelib.log import wire
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.route import ANONYMOUS, Handler
from chalicelib.web.service import Service

service = Service("log", wire.render_error)
_TILE = f"{PREFIX}/tile/{{level}}/{{a}}"


def _get(path: str) -> Callable[[Handler], Handler]:
    return service.route("GET", path, ANONYMOUS)


@_get(PREFIX)
def describe(request: Request) -> Response:
    """Return the origin, the size, the public keys and the paths of the log."""
    return wire.render_log(request, log.find_head(), keys.stored())


@_get(f"{PREFIX}/checkpoint")
def checkpoint(request: Request) -> Response:
    """Return the newest checkpoint: a signed note."""
    return wire.render_checkpoint(request, log.checkpoint())


# A position has up to four parts of three digits, and a partial tile one part more.
@_get(_TILE)
@_get(f"{_TILE}/{{b}}")
@_get(f"{_TILE}/{{b}}/{{c}}")
@_get(f"{_TILE}/{{b}}/{{c}}/{{d}}")
@_get(f"{_TILE}/{{b}}/{{c}}/{{d}}/{{e}}")
def tile(request: Request) -> Response:
    """Return the hashes of a tile, or a bundle of entries for the level `entries`."""
    wanted = wire.parse_tile(request)
    if wanted.level is None:
        return wire.render_bundle(request, log.bundle(wanted.position, wanted.width))
    return wire.render_tile(request, log.tile(wanted.level, wanted.position, wanted.width))


@_get(f"{PREFIX}/proof")
def prove(request: Request) -> Response:
    """Return the proof that the newest tree has the entry `index`, or that it extends the tree of `old` entries."""
    if "old" in request.query:
        return wire.render_consistency(request, *proofs.consistency(wire.parse_number(request, "old")))
    return wire.render_inclusion(request, proofs.inclusion(wire.parse_number(request, "index")))


@_get(f"{PREFIX}/entries/{{service}}/{{owner}}/{{name}}")
def history(request: Request) -> Response:
    """Return the entries of a work of LuaRocks or ContentDB, oldest first."""
    return wire.render_history(request, log.of_work(request.params["service"], wire.work_of(request)))


@_get(f"{PREFIX}/entries/{{service}}/{{owner}}")
def history_of_one_part(request: Request) -> Response:
    """Return the entries of a work whose name has one part, such as a package of Hel."""
    return wire.render_history(request, log.of_work(request.params["service"], wire.work_of(request)))
