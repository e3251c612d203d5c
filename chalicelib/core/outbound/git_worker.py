"""The confined worker for Git (see git.py): a JSON request and a JSON response."""

import json
import os
import socket
import zlib
from collections.abc import Callable
from typing import Any

from dulwich.client import HTTPUnauthorized
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from urllib3.exceptions import HTTPError

from chalicelib.core.errors import CoreError
from chalicelib.core.outbound import git_fetch, git_look, sockets
from chalicelib.core.outbound.git_clients import Unfetchable

Errors = dict[type[Exception] | tuple[type[Exception], ...], str | None]  # None: the error's own message

_UNREACHABLE = "The Git server cannot be reached, or refuses."
_HTTP_ERRORS: Errors = {
    (Unfetchable, CoreError): None,
    NotGitRepository: "There is no Git repository at the repository's address.",
    HTTPUnauthorized: "The repository is not public.",
    (GitProtocolError, HTTPError, OSError): _UNREACHABLE,
    (KeyError, ValueError, AssertionError, TypeError, AttributeError, zlib.error): (
        "The Git server's answer cannot be understood."
    ),
    MemoryError: "The repository is too large.",
}


def make() -> Callable[[bytes], bytes]:
    """Return the function that answers a request. It works in the current directory."""
    os.environ.update(HOME=".", GIT_CONFIG_NOSYSTEM="1")  # no configuration of the machine or of a user
    # Loads what the first lookup and the first connection would load, which a worker cannot read.
    socket.getaddrinfo("localhost", 80)
    sockets.tls_context()
    return lambda request: json.dumps(_respond(json.loads(request), _HTTP_ERRORS)).encode()


def make_with_ssh() -> Callable[[bytes], bytes]:
    """The same, also over SSH; the worker needs threads."""
    from paramiko import SSHException

    from chalicelib.core.outbound.git_ssh import SshRefused

    make()
    errors: Errors = {
        SshRefused: None,
        HangupException: "There is no Git repository at the repository's address, or the SSH key may not read it.",
        (SSHException, EOFError): _UNREACHABLE,
        **_HTTP_ERRORS,
    }
    return lambda request: json.dumps(_respond(json.loads(request), errors)).encode()


def _respond(request: dict[str, Any], errors: Errors) -> dict[str, Any]:
    try:
        return git_look.look(request, ".") if request.get("look") else git_fetch.fetch(request, ".")
    except Exception as error:
        for kinds, message in errors.items():
            if isinstance(error, kinds):
                return {"error": message or str(error)}
        raise
