"""The confined worker for Git (see git.py): a JSON request and a JSON response."""

import json
import os
import socket
import ssl
import zlib
from collections.abc import Callable
from typing import Any

from dulwich.client import HTTPUnauthorized
from dulwich.errors import GitProtocolError, NotGitRepository
from urllib3.exceptions import HTTPError

from chalicelib.contentdb.releases import git_fetch, outbound


def make() -> Callable[[bytes], bytes]:
    """Return the function that answers a request. It works in the current directory."""
    os.environ.update(HOME=".", GIT_CONFIG_NOSYSTEM="1")  # no configuration of the machine or of a user
    # Loads what the first lookup and the first connection would load, which a worker cannot read.
    socket.getaddrinfo("localhost", 80)
    ssl.create_default_context()
    return lambda request: json.dumps(_respond(json.loads(request))).encode()


def _respond(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return git_fetch.fetch(request, outbound.pool_manager(request["networks"]), ".")
    except (git_fetch.Unfetchable, outbound.ForbiddenAddress) as error:
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
