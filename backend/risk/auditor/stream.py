"""The transaction system's write-ahead log, decoded by its own server and streamed to us.

A logical slot keeps what we have not confirmed. Streaming rather than polling the slot by SQL: each
poll would decode again everything since the slot's restart point, up to 15 s of writes.
"""

import asyncio
import struct
import time
from typing import Any

import msgspec
import psycopg
from psycopg import pq

from backend.risk.auditor.pgoutput import Parser, Transaction

CONNECT_TIMEOUT_S = 5
YIELD_EVERY = 200  # messages: verdicts are given on the same loop
_EPOCH_S = 946_684_800
_STATUS = struct.Struct(">cQQQqB")


class StreamLost(Exception):
    """The server ended the stream or can't be reached; a new one may be opened."""


class System(msgspec.Struct, frozen=True):
    """Which cluster answers, and how far its log is."""

    system_id: str
    lsn: int


class NewSlot(msgspec.Struct, frozen=True):
    """A slot made just now, and the snapshot that sees exactly what came before it."""

    lsn: int
    snapshot: str


class Stream:
    """One replication connection. `flushed` is what the server may forget."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._parser = Parser()
        self.flushed = 0
        self.seen = 0  # every transaction that ended before this position has been given out

    @classmethod
    async def connect(cls, url: str) -> "Stream":
        """Raises StreamLost."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                url,
                replication="database",
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="yipay auditor",
            )
        except psycopg.Error as error:
            raise StreamLost(_line(error)) from None
        return cls(connection)

    async def identify(self) -> System:
        row = await self._row("IDENTIFY_SYSTEM")
        return System(row[0], from_text(row[2]))

    async def create_slot(self, slot: str) -> NewSlot:
        """The snapshot lives until the next command on this connection."""
        row = await self._row(
            f"CREATE_REPLICATION_SLOT {slot} LOGICAL pgoutput (SNAPSHOT 'export')"
        )
        return NewSlot(from_text(row[1]), row[2])

    async def start(self, slot: str, publication: str, lsn: int) -> None:
        """Stream what committed after `lsn`. Raises StreamLost."""
        self.flushed = self.seen = lsn
        command = (
            f"START_REPLICATION SLOT {slot} LOGICAL {to_text(lsn)}"
            f" (proto_version '1', publication_names '{publication}', binary 'true')"
        )
        self._pg.send_query(command.encode())
        while (result := self._result()) is None:
            await self._wait(CONNECT_TIMEOUT_S)
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise StreamLost(result.get_error_message())

    async def receive(self, limit: int, wait_s: float) -> list[Transaction]:
        """Up to about `limit` changes in whole transactions; at most `wait_s` for the first one."""
        out: list[Transaction] = []
        changes = messages = 0
        deadline = time.monotonic() + wait_s
        while changes < limit:
            message = self._message()
            if message is None:
                left = deadline - time.monotonic()
                if (out and not self._parser.inside) or left <= 0:
                    break
                await self._wait(left)
                continue
            messages += 1
            if messages % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            done = self._take(message)
            if done is not None and done.changes:
                out.append(done)
                changes += len(done.changes)
        return out

    def confirm(self, lsn: int) -> None:
        """The server may forget what ended before `lsn`. Also the sign of life it waits for."""
        self.flushed = max(self.flushed, lsn)
        now_us = int((time.time() - _EPOCH_S) * 1_000_000)
        status = _STATUS.pack(b"r", self.seen, self.flushed, self.flushed, now_us, 0)
        try:
            self._pg.put_copy_data(status)
            self._pg.flush()
        except psycopg.Error as error:
            raise StreamLost(_line(error)) from None

    async def close(self) -> None:
        await self._connection.close()

    def _take(self, message: bytes) -> Transaction | None:
        if message[:1] == b"k":
            end, _, reply = struct.unpack_from(">QqB", message, 1)
            if not self._parser.inside:
                self.seen = max(self.seen, end)
            if reply:
                self.confirm(self.flushed)
            return None
        done = self._parser.feed(message[25:])
        if done is not None:
            self.seen = max(self.seen, done.end_lsn)
        return done

    def _message(self) -> bytes | None:
        """The next message if it is here."""
        try:
            size, data = self._pg.get_copy_data(1)
            if size == 0:
                self._pg.consume_input()
                size, data = self._pg.get_copy_data(1)
        except psycopg.Error as error:
            raise StreamLost(_line(error)) from None
        if size < 0:
            result = self._result()
            raise StreamLost(result.get_error_message() if result else "the stream ended")
        return bytes(data) if size else None

    def _result(self) -> Any:
        try:
            self._pg.consume_input()
            return None if self._pg.is_busy() else self._pg.get_result()
        except psycopg.Error as error:
            raise StreamLost(_line(error)) from None

    async def _wait(self, seconds: float) -> None:
        # Watched only while we wait: a socket with unread data would wake the loop without end.
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._pg.socket, readable.set)
        try:
            async with asyncio.timeout(seconds):
                await readable.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(self._pg.socket)

    async def _row(self, command: str) -> Any:
        try:
            row = await (await self._connection.execute(command.encode())).fetchone()
        except psycopg.Error as error:
            raise StreamLost(_line(error)) from None
        assert row is not None
        return row


def from_text(lsn: str) -> int:
    """ "16/B374D848" as a number; 0 for ""."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16) if low else 0


def to_text(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def _line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
