"""A process that does not outlive the one that started it."""

import multiprocessing
import os
import signal
from threading import Thread


def follow_parent() -> None:
    """Stop this worker when its supervisor is gone, however that ended; it would hold the port for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def stop() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=stop, name="parent", daemon=True).start()
