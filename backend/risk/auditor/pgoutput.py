"""PostgreSQL's logical replication messages (pgoutput, protocol 1, binary values), as changes.

Only what the server itself writes is parsed: it says what reached the log, whoever wrote it and
whichever triggers were off.
"""

import struct
from collections.abc import Callable
from typing import Any

import msgspec

Row = dict[str, Any]
"""Values by column: int, bytes, str, bool, None; a timestamp is whole microseconds since 1970."""

MAX_KEPT = 500_000  # changes of one transaction; no batch of the ledger comes near

_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000
_HEAD = struct.Struct(">BI")


class Change(msgspec.Struct, frozen=True):
    """One row that was inserted, updated or deleted, or a table that was emptied.

    `old` holds the key columns, or all of them where the table's replica identity is full.
    """

    verb: str  # "insert", "update", "delete", "truncate"
    table: str  # "ledger.posting"
    old: Row | None = None
    new: Row | None = None


class Transaction(msgspec.Struct, frozen=True):
    """All changes of one committed transaction, in their order; `dropped` of them not kept."""

    end_lsn: int
    committed_us: int
    xid: int
    changes: list[Change]
    dropped: int = 0


class Relation(msgspec.Struct, frozen=True):
    table: str
    identity: str  # "d" key, "f" full, "i" index, "n" nothing
    columns: tuple[str, ...]
    readers: tuple[Callable[[bytes], Any], ...]


class ParseError(Exception):
    """A message that this protocol does not have."""


class Parser:
    """Feed it the messages in order; it gives a transaction at each commit."""

    def __init__(self) -> None:
        self.relations: dict[int, Relation] = {}
        self._open: list[Change] = []
        self._xid = self._dropped = 0

    @property
    def inside(self) -> bool:
        """Whether a transaction has begun whose commit has not come yet."""
        return self._xid != 0

    def feed(self, message: bytes) -> Transaction | None:
        kind = message[:1]
        if kind in b"IUD":
            if len(self._open) < MAX_KEPT:
                self._open.append(self._row(kind, message))
            else:
                self._dropped += 1
        elif kind == b"B":
            self._open, self._dropped = [], 0
            (self._xid,) = struct.unpack_from(">I", message, 17)
        elif kind == b"C":
            return self._commit(message)
        elif kind == b"R":
            self._relation(message)
        elif kind == b"T":
            self._truncate(message)
        elif kind not in b"YOM":
            raise ParseError(f"unknown message {kind!r}")
        return None

    def _commit(self, message: bytes) -> Transaction:
        _, _, end_lsn, at = struct.unpack_from(">BQQq", message, 1)
        done = Transaction(end_lsn, at + _EPOCH_US, self._xid, self._open, self._dropped)
        self._open, self._xid = [], 0
        return done

    def _relation(self, message: bytes) -> None:
        (oid,) = struct.unpack_from(">I", message, 1)
        schema, at = _text(message, 5)
        name, at = _text(message, at)
        identity = chr(message[at])
        (count,) = struct.unpack_from(">H", message, at + 1)
        at += 3
        columns, readers = [], []
        for _ in range(count):
            column, at = _text(message, at + 1)
            (type_oid,) = struct.unpack_from(">I", message, at)
            columns.append(column)
            readers.append(_READERS.get(type_oid, bytes.decode))
            at += 8
        table = f"{schema}.{name}"
        self.relations[oid] = Relation(table, identity, tuple(columns), tuple(readers))

    def _truncate(self, message: bytes) -> None:
        (count,) = struct.unpack_from(">I", message, 1)
        for oid in struct.unpack_from(f">{count}I", message, 6):
            self._open.append(Change("truncate", self.relations[oid].table))

    def _row(self, kind: bytes, message: bytes) -> Change:
        relation = self.relations[struct.unpack_from(">I", message, 1)[0]]
        old, new, at = None, None, 5
        if message[at : at + 1] in b"KO":
            old, at = _tuple(relation, message, at + 1)
        if kind != b"D":
            new, at = _tuple(relation, message, at + 1)
        return Change(_VERBS[kind], relation.table, old, new)


def _tuple(relation: Relation, message: bytes, at: int) -> tuple[Row, int]:
    """A row and where it ends. Values that the server left out (unchanged, large) are absent."""
    at += 2
    row: Row = {}
    for column, reader in zip(relation.columns, relation.readers, strict=True):
        kind = message[at]
        if kind == _NULL:
            row[column] = None
            at += 1
        elif kind == _UNCHANGED:
            at += 1
        else:
            _, size = _HEAD.unpack_from(message, at)
            start = at + 5
            at = start + size
            row[column] = reader(message[start:at])
    return row, at


def _text(message: bytes, at: int) -> tuple[str, int]:
    end = message.index(0, at)
    return message[at:end].decode(), end + 1


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def _microseconds(value: bytes) -> int:
    return _int(value) + _EPOCH_US


_NULL, _UNCHANGED = ord("n"), ord("u")
_VERBS = {b"I": "insert", b"U": "update", b"D": "delete"}
_READERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda value: value == b"\x01",  # boolean
    17: bytes,  # bytea
    20: _int,  # bigint
    21: _int,
    23: _int,
    1184: _microseconds,  # timestamptz
}
