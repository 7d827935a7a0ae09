"""Opening red packets at module level: judged, decided, signed, posted by the ledger, with bills
and news; each opener waits until the share is in the books.

The security system is stood in for by a signer: its verdicts are signed and checked as in service,
its own limits and their database are not part of these figures.
"""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import uvloop

from backend import db, services
from backend.clock import SystemClock
from backend.ids import new
from backend.ledger import Ledger, NewAccount
from backend.ledger.service import LedgerService, running
from backend.posting import Posting, Transfer
from backend.redpacket import PACKET_LIFE, OpenPacket, PacketEmpty, RedPackets
from backend.redpacket.rows import PacketRow
from backend.redpacket.shares import commitment
from backend.risk import AuthorizeShares, Judged, Opener, Risk
from backend.verdict import SignedVerdict
from tests.bench.cluster import Bench, open_ledger
from tests.bench.report import Row
from tests.ledger.signing import Authority

PEOPLE = 1000
SHARES, TOTAL_FEN = 100, 100_00
MANY = 64  # packets at a time
FLOOR, GOAL = 4, 10
YARDSTICK = "TPC-B"
BANK = "bank:clearing"


class Stamp:
    """Lets everybody pass, and signs."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def judge_openers(
        self, packet_id: str, openers: tuple[Opener, ...]
    ) -> tuple[Judged, ...]:
        return tuple(Judged(opener.person_id, "") for opener in openers)

    async def authorize_shares(self, authorize: AuthorizeShares) -> SignedVerdict:
        return self._authority.allow(authorize.intent.posting)


class Stand:
    """A running transaction system with people who want packets."""

    def __init__(self, packets: RedPackets, books: LedgerService, authority: Authority) -> None:
        self.packets, self.books, self.authority = packets, books, authority
        self.people = [new("usr") for _ in range(PEOPLE)]

    async def prepare(self) -> None:
        await self.books.open_accounts((NewAccount(BANK, None),))
        for start in range(0, PEOPLE, 100):
            some = self.people[start : start + 100]
            await self.books.open_accounts(tuple(NewAccount(f"person:{p}") for p in some))
        await db.TX.query(
            "insert into identity.person (person_id, phone, display_name, language, demo,"
            " created_at) select id, '+86139' || lpad(n::text, 8, '0'), '小明', 'zh-CN', false,"
            " now() from unnest($1::text[]) with ordinality as given(id, n)",
            self.people,
        )

    async def sent(self, count: int) -> list[str]:
        """Packets for whoever comes, paid."""
        rows = [_row(self.people[0]) for _ in range(count)]
        names = PacketRow.__struct_fields__
        places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
        for row in rows:
            await db.TX.query(
                f"insert into redpacket.packet ({', '.join(names)}) values ({places})",
                *(getattr(row, name) for name in names),
            )
        accounts = [f"packet:{row.packet_id}" for row in rows]
        for start in range(0, count, 100):
            some = accounts[start : start + 100]
            await self.books.open_accounts(tuple(NewAccount(name) for name in some))
            legs = tuple(Transfer(BANK, name, TOTAL_FEN) for name in some)
            await self.books.post(self.authority.post(Posting(new("pay"), "fund", legs)))
        return [row.packet_id for row in rows]


def _row(sender_id: str) -> PacketRow:
    packet_id, seed, now = new("red"), secrets.token_bytes(32), SystemClock().now()
    return PacketRow(
        packet_id=packet_id,
        payment_id=new("pay"),
        order_id=new("ord"),
        sender_id=sender_id,
        sender_name="小红",
        kind="lucky",
        total_fen=TOTAL_FEN,
        count=SHARES,
        greeting="恭喜发财",
        cover="classic",
        to_group="",
        to_person="",
        passcode_hash=b"",
        seed=seed,
        seed_hash=commitment(seed, packet_id),
        status="open",
        refusal_code="",
        opened=0,
        opened_fen=0,
        posted_fen=0,
        returned_fen=0,
        return_id="",
        return_intent=None,
        created_at=now,
        lapses_at=now + PACKET_LIFE,
        expires_at=now + PACKET_LIFE,
        ended_at=None,
        sent_at=now,
    )


class Times:
    """Seconds that each call took: of those who got a share, of those who came too late."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.late: list[float] = []
        self.took = 0.0

    async def open(self, packets: RedPackets, packet_id: str, person_id: str) -> None:
        began = time.perf_counter()
        try:
            share = await packets.open(
                OpenPacket(packet_id=packet_id, person_id=person_id, device_secret="")
            )
        except PacketEmpty:
            self.late.append(time.perf_counter() - began)
        else:
            assert share.status == "posted", "only what is in the books counts"
            self.shares.append(time.perf_counter() - began)

    @property
    def rate(self) -> float:
        return len(self.shares) / self.took

    def quantile_ms(self, part: float) -> float:
        return sorted(self.shares)[int(len(self.shares) * part)] * 1000


async def hot(stand: Stand, packet_ids: Sequence[str]) -> Times:
    """As many people as shares at one packet, then at the next."""
    return await _one_after_another(stand, packet_ids, stand.people[:SHARES])


async def rush(stand: Stand, packet_ids: Sequence[str]) -> Times:
    """A thousand people at one packet, then at the next."""
    return await _one_after_another(stand, packet_ids, stand.people)


async def _one_after_another(
    stand: Stand, packet_ids: Sequence[str], people: Sequence[str]
) -> Times:
    times, began = Times(), time.perf_counter()
    for packet_id in packet_ids:
        await asyncio.gather(*(times.open(stand.packets, packet_id, one) for one in people))
    times.took = time.perf_counter() - began
    assert len(times.shares) == len(packet_ids) * SHARES
    return times


async def many(stand: Stand, packet_ids: Sequence[str]) -> Times:
    """Many packets at once, each with as many people as shares, who come one by one."""
    times, waiting = Times(), list(packet_ids)

    async def one() -> None:
        while waiting:
            packet_id = waiting.pop()
            people = iter(secrets.SystemRandom().sample(stand.people, SHARES))

            async def caller(packet_id: str = packet_id, people: Any = people) -> None:
                for person in people:
                    await times.open(stand.packets, packet_id, person)

            await asyncio.gather(*(caller() for _ in range(PEOPLE // MANY)))

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(MANY)))
    times.took = time.perf_counter() - began
    assert len(times.shares) == len(packet_ids) * SHARES
    return times


CASES = (
    ("one hot packet after another", hot),
    ("64 packets at a time", many),
    ("1,000 people at one hot packet after another", rush),
)


def run(bench: Bench, quick: bool) -> list[Row]:
    return uvloop.run(_run(bench, rounds=2 if quick else 5, packets=100 if quick else 200))


async def _run(bench: Bench, rounds: int, packets: int) -> list[Row]:
    yardsticks: list[float] = []
    found: dict[str, list[Times]] = {name: [] for name, _ in CASES}
    async with standing(bench) as stand:
        for _ in range(rounds):
            yardsticks.append(await asyncio.to_thread(bench.tpcb, 8, 3))
            for name, case in CASES:
                found[name].append(await case(stand, await stand.sent(packets)))
    rows = [
        Row(name="pgbench TPC-B, 8 clients (yardstick)", rate=statistics.median(yardsticks)),
    ]
    for name, times in found.items():
        rows += _rows(name, times, yardsticks)
    return rows


def _rows(name: str, times: list[Times], yardsticks: list[float]) -> list[Row]:
    ratios = [one.rate / yard for one, yard in zip(times, yardsticks, strict=True)]
    rows = [
        Row(
            name=f"packets, {name}, shares in the books",
            rate=statistics.median(one.rate for one in times),
            yardstick=YARDSTICK,
            ratio=statistics.median(ratios),
            floor=FLOOR,
            goal=GOAL,
        )
    ]
    for part in (0.5, 0.99):
        took = statistics.median(one.quantile_ms(part) for one in times)
        rows.append(Row(name=f"packets, {name}, p{part * 100:g}", rate=took, unit="ms"))
    if times[0].late:
        late = statistics.median(len(one.late) / one.took for one in times)
        rows.append(Row(name=f"packets, {name}, besides who came too late", rate=late))
    return rows


@asynccontextmanager
async def standing(bench: Bench) -> AsyncIterator[Stand]:
    authority = Authority(bench.settings)
    async with open_ledger(bench.settings), running(bench.settings) as books:
        await db.TX.open(bench.settings.tx_url)
        try:
            built, close = await services.build(
                bench.settings, ledger=cast(Ledger, books), risk=cast(Risk, Stamp(authority))
            )
            stand = Stand(built.redpackets, books, authority)
            await stand.prepare()
            yield stand
            await close()
        finally:
            await db.TX.close()
