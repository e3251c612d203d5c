"""Ends a child process together with its parent."""

import multiprocessing
import os
import signal
from threading import Thread


def follow_parent() -> None:
    """Stop this process when its parent has exited for any reason; otherwise it would keep the port open."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def stop() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=stop, name="parent", daemon=True).start()
