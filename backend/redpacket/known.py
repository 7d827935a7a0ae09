"""What this process knows of packets without asking: terms that never change, and who opened those
that have ended. An ended packet stays ended, so what is known here is never wrong."""

import asyncio
from collections import OrderedDict
from datetime import datetime
from typing import Generic, TypeVar

from backend.errors import NotFound
from backend.redpacket.rows import ENDED, PacketRow, find_packet, openers_of

MAX_TERMS = 10_000
MAX_ENDED = 2_000  # each with up to 100 openers

SENT = ENDED | {"open"}

V = TypeVar("V")


class _Recent(Generic[V]):
    """A bounded dict that forgets what was not asked for the longest time."""

    def __init__(self, limit: int) -> None:
        self._limit, self._items = limit, OrderedDict[str, V]()

    def get(self, key: str) -> V | None:
        found = self._items.get(key)
        if found is not None:
            self._items.move_to_end(key)
        return found

    def put(self, key: str, value: V) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        while len(self._items) > self._limit:
            self._items.popitem(last=False)


class Known:
    def __init__(self) -> None:
        self._terms = _Recent[PacketRow](MAX_TERMS)
        self._ended = _Recent[PacketRow](MAX_ENDED)
        self._openers = _Recent[frozenset[str]](MAX_ENDED)
        self._asking: dict[str, asyncio.Event] = {}

    async def terms(self, packet_id: str) -> PacketRow:
        """Good for what was sent, not for status and sums. Refuses: NotFound (not paid, too)."""
        while (row := self._terms.get(packet_id)) is None:
            # A thousand who come together need the answer once.
            asking = self._asking.get(packet_id)
            if asking is None:
                return await self._ask(packet_id)
            await asking.wait()
        return row

    async def _ask(self, packet_id: str) -> PacketRow:
        asked = self._asking[packet_id] = asyncio.Event()
        try:
            row = await find_packet(packet_id)
            if row is None or row.status not in SENT:
                raise NotFound()
            if row.status in ENDED:
                await self.learn_end(packet_id)
            self._terms.put(packet_id, row)
            return row
        finally:
            del self._asking[packet_id]
            asked.set()

    def openers_of_ended(self, packet_id: str) -> frozenset[str] | None:
        """None: it is not known to have ended."""
        return self._openers.get(packet_id)

    async def learn_end(self, packet_id: str) -> frozenset[str]:
        """Of a packet whose end is committed."""
        openers = (await openers_of((packet_id,)))[packet_id]
        self.note_end(packet_id, openers)
        return openers

    def ended(self, packet_id: str, now: datetime) -> PacketRow | None:
        """The row of one that nothing changes any more: its money is back, or it is empty and no
        share is given up yet."""
        row = self._ended.get(packet_id)
        return row if row and (row.status == "returned" or now < row.expires_at) else None

    def note_row(self, row: PacketRow) -> None:
        if row.status in ("empty", "returned"):
            self._ended.put(row.packet_id, row)

    def note_end(self, packet_id: str, openers: frozenset[str]) -> None:
        self._openers.put(packet_id, openers)
