"""The child process for Git: reads a JSON request from standard input, writes a JSON response (see git.py).

It has no secrets, and the kernel kills it if it exceeds its memory, time or disk.
"""

import json
import resource
import sys
import zlib
from typing import Any

MEMORY = 768 * 1024 * 1024
CPU_SECONDS = 100


def main() -> None:
    """Set the limits, and serve one request."""
    request = json.load(sys.stdin)
    for kind, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, request["largest_file"]),
    ):
        resource.setrlimit(kind, (limit, limit))
    json.dump(_respond(request), sys.stdout)


def _respond(request: dict[str, Any]) -> dict[str, Any]:
    from dulwich.client import HTTPUnauthorized
    from dulwich.errors import GitProtocolError, NotGitRepository
    from urllib3.exceptions import HTTPError

    from chalicelib.contentdb.releases import git_fetch, outbound

    try:
        return git_fetch.fetch(request, outbound.pool_manager(request["networks"]), request["scratch"])
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


if __name__ == "__main__":
    main()
