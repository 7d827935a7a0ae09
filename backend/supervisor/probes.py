"""Short questions to parts and ports."""

import asyncio
import socket
from datetime import datetime

import asyncpg

from backend.errors import DomainError
from backend.ledger import Ledger
from backend.risk import Risk
from backend.rpc import connect
from backend.settings import Settings
from backend.supervisor.errors import UpError

PROBE_TIMEOUT_S = 2
PORT_PATIENCE_S = 1.5  # the parts of a killed run may take a moment to go


async def check_port(host: str, port: int, what: str) -> None:
    """Raises UpError if another program listens there."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PORT_PATIENCE_S
    while True:
        try:
            _bind(host, port)
            return
        except OSError as error:
            if loop.time() > deadline:
                reason = error.strerror or "can't be used"
                raise UpError(f"port {port} ({what}) on {host}: {reason}") from None
        await asyncio.sleep(0.1)


async def answers_http(host: str, port: int) -> bool:
    """Whether any HTTP answer comes back."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(
                b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            line = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"HTTP/1.1 ")


async def listens(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except (OSError, TimeoutError):
        return False
    return True


async def answers_ping(face: type[Ledger] | type[Risk], address: str, settings: Settings) -> bool:
    """Whether the process behind a face answers."""
    stub: Ledger | Risk
    stub, client = connect(face, address, settings)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await stub.ping()
    except (DomainError, TimeoutError):
        return False
    finally:
        await client.close()
    return True


async def worker_lives(url: str, since: datetime) -> bool:
    """Whether a worker has said so in the database."""
    try:
        connection = await asyncpg.connect(url, timeout=PROBE_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    try:
        alive = "select exists (select from jobs.heartbeat where at > $1)"
        return bool(await connection.fetchval(alive, since))
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: connections of the last run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
