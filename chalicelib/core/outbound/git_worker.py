"""The confined worker for Git (see git.py): a JSON request and a JSON response."""

import json
import os
import socket
import zlib
from collections.abc import Callable
from typing import Any

from dulwich.client import HTTPUnauthorized
from dulwich.errors import GitProtocolError, NotGitRepository
from urllib3.exceptions import HTTPError

from chalicelib.core.outbound import git_fetch, sockets
from chalicelib.core.outbound.addresses import ForbiddenAddress, address_rules
from chalicelib.core.outbound.pools import Pools


def make() -> Callable[[bytes], bytes]:
    """Return the function that answers a request. It works in the current directory."""
    os.environ.update(HOME=".", GIT_CONFIG_NOSYSTEM="1")  # no configuration of the machine or of a user
    # Loads what the first lookup and the first connection would load, which a worker cannot read.
    socket.getaddrinfo("localhost", 80)
    sockets.tls_context()
    return lambda request: json.dumps(_respond(json.loads(request))).encode()


def _respond(request: dict[str, Any]) -> dict[str, Any]:
    try:
        pools = Pools(address_rules(request["networks"]), request["proxies"], request["agent"])
        return git_fetch.fetch(request, pools, ".")
    except (git_fetch.Unfetchable, ForbiddenAddress) as error:
        return {"error": str(error)}
    except NotGitRepository:
        return {"error": "There is no Git repository at the repository's address."}
    except HTTPUnauthorized:
        return {"error": "The repository is not public."}
    except (GitProtocolError, HTTPError, OSError):
        return {"error": "The Git server cannot be reached, or refuses."}
    except (KeyError, ValueError, AssertionError, TypeError, AttributeError, zlib.error):
        return {"error": "The Git server's answer cannot be understood."}
    except MemoryError:
        return {"error": "The repository is too large."}
