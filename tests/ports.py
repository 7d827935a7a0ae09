"""Ports for the services of a test: below those that the kernel gives to outgoing connections, and
handed out one after the other, so that tests at work side by side never get the same."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 18_000, 32_000
NEIGHBOURS = 2  # `yipay up --port N` takes N + 1 too

_COUNTER = Path(tempfile.gettempdir()) / f"yipay-test-ports-{os.getuid()}"


def free_port() -> int:
    """Nobody listens on it or on the next one, and nobody is given it for thousands of calls."""
    with _COUNTER.open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        port = int(counter.read() or FIRST)
        while not all(_free(port + n) for n in range(NEIGHBOURS)):
            port = _after(port)
        counter.truncate(0)
        counter.write(str(_after(port)))
    return port


def _after(port: int) -> int:
    return port + NEIGHBOURS if port + 2 * NEIGHBOURS < LAST else FIRST


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
