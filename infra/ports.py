"""Ports for servers that other processes start."""

import random
import socket
from contextlib import suppress

_PORTS = range(10_000, 32_768)  # the kernel gives ports from 32768 on to clients


def free_port() -> int:
    """A port of 127.0.0.1 that is unused for TCP and UDP, chosen at random.

    No outgoing connection takes it before the server opens it, and another caller hardly ever gets the same one.
    """
    chosen = random.SystemRandom()
    while True:
        port = chosen.choice(_PORTS)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams, suppress(OSError):
            stream.bind(("127.0.0.1", port))
            datagrams.bind(("127.0.0.1", port))
            return port
