"""Rejects requests that another site makes a browser send."""

from collections.abc import Collection

from chalicelib.core.errors import Forbidden
from chalicelib.web.headers import host_of, parse_host
from chalicelib.web.request import Request


def check_origin(request: Request, trusted: Collection[str] = ()) -> None:
    """Raise Forbidden if the browser's headers say that another site made it send the request.

    Every browser sends Sec-Fetch-Site or at least Origin. A client that sends neither is not a browser. `trusted` are
    further origins, such as `https://hel.example.org`.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if origin is not None and origin in trusted:
        return
    if site:
        from_here = site in ("same-origin", "none")
    else:
        from_here = origin is None or host_of(origin) in _own_hosts(request)
    if not from_here:
        raise Forbidden("This request was made by another site.")


def _own_hosts(request: Request) -> set[str]:
    hosts = (parse_host(request.headers.get("host", "")), host_of(request.base_url))
    return {host.lower() for host in hosts if host}
