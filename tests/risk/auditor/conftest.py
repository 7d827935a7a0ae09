"""Books that live, an auditor that watches them, and a superuser who should not."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from backend import ids, keys
from backend.clock import SystemClock, to_ms
from backend.db import LEDGER, SEC
from backend.keys import FileSigner
from backend.ledger import NewAccount, Post, Posted
from backend.ledger.service import LedgerService, running
from backend.posting import Op, Posting, Transfer, needs_verdict, posting_hash
from backend.risk.auditor import FENCE_EVERY_S, Auditor
from backend.risk.auditor.stream import from_text
from backend.risk.signing import sign_together
from backend.settings import Settings
from backend.verdict import VERDICT_LIFE_MS, SignedVerdict, Verdict
from tests.conftest import Servers

ANN, BEN, SHOP, BANK = "person:ann", "person:ben", "shop:tea", "bank:clearing"
ALARM_WITHIN_S = 5.0


@pytest.fixture
async def root(servers: Servers, settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A database superuser of the transaction system."""
    database = settings.tx_url.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(servers.admin_url(servers.tx, database))
    yield connection
    await connection.close()


class Town:
    """People who pay each other lawfully: verdicts are signed and remembered as risk does it."""

    def __init__(self, ledger: LedgerService, signer: FileSigner) -> None:
        self.ledger, self.signer = ledger, signer

    async def verdicts(self, postings: Sequence[Posting]) -> list[SignedVerdict]:
        now = to_ms(SystemClock().now())
        verdicts = [
            Verdict(
                ids.new("ver"),
                bytes(32),
                posting_hash(p),
                "allow",
                "A",
                1,
                now,
                now + VERDICT_LIFE_MS,
            )
            for p in postings
        ]
        await SEC.query(
            "insert into risk.decision"
            " (intent_id, stage, decision, code, level, verdict_id, content, decided_at)"
            " select v, 'authorize', 'allow', '', 'A', v, '', now() from unnest($1::text[]) v",
            [v.verdict_id for v in verdicts],
        )
        return sign_together(verdicts, self.signer)

    async def post(self, *postings: Posting) -> list[Posted | BaseException]:
        """All at once, each with its verdict if it needs one; refusals come as they are."""
        needy = [p for p in postings if needs_verdict(p)]
        signed = {p.posting_id: v for p, v in zip(needy, await self.verdicts(needy), strict=True)}
        calls = (self.ledger.post(Post(p, signed.get(p.posting_id))) for p in postings)
        return await asyncio.gather(*calls, return_exceptions=True)

    async def pay(self, debit: str, credit: str, amount: int) -> Posted:
        [posted] = await self.post(move(debit, credit, amount))
        assert isinstance(posted, Posted), posted
        return posted


def posting(*transfers: Transfer) -> Posting:
    return Posting(ids.new("pay"), "pay", transfers)


def move(debit: str, credit: str, amount: int) -> Posting:
    return posting(Transfer(debit, credit, amount))


def hold(debit: str, credit: str, amount: int, hold_id: str, seconds: int = 3600) -> Posting:
    deadline = to_ms(SystemClock().now() + timedelta(seconds=seconds))
    return posting(Transfer(debit, credit, amount, Op.HOLD, hold_id, deadline))


@pytest.fixture
async def town(databases: Settings) -> AsyncIterator[Town]:
    """Ann and Ben with ¥1,000 each, a shop, and the bank."""
    signer = FileSigner(Path(databases.keys_dir), "verdict")
    keys.publish(Path(databases.verdict_keys), signer)
    async with running(databases) as ledger:
        town = Town(ledger, signer)
        people = (NewAccount(ANN), NewAccount(BEN), NewAccount(SHOP), NewAccount(BANK, None))
        await ledger.open_accounts(people)
        await town.pay(BANK, ANN, 1_000_00)
        await town.pay(BANK, BEN, 1_000_00)
        yield town


class Watch:
    """The auditor at work, and what it has said."""

    def __init__(self, settings: Settings, signer: FileSigner) -> None:
        known = {signer.key_id: signer.public_key}
        self.auditor = Auditor(settings, lambda: known, SystemClock())
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self.auditor.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None
        await self.auditor.close()  # a single step may have opened it

    async def alarms(self) -> list[asyncpg.Record]:
        return await SEC.query("select * from risk.alarm order by alarm_id")

    async def frozen(self) -> set[str]:
        return {r[0] for r in await SEC.query("select account_id from risk.frozen_account")}

    async def caught_up(self) -> None:
        """Until all that is in the log by now has been judged."""
        [now] = await LEDGER.query("select pg_current_wal_insert_lsn()::text as lsn")
        deadline = time.monotonic() + 60
        while True:
            [row] = await SEC.query("select slot_lsn, synced from risk.audit_state")
            if row["synced"] and from_text(row["slot_lsn"]) >= from_text(now["lsn"]):
                return
            assert time.monotonic() < deadline, f"audited to {row['slot_lsn']} of {now['lsn']}"
            assert self.task is None or not self.task.done(), self.task.exception()
            await asyncio.sleep(0.02)

    async def looked_around(self) -> None:
        """Long enough for publication, tables and guards to be compared again."""
        await asyncio.sleep(FENCE_EVERY_S * 1.5)
        await self.caught_up()

    async def alarm_after(self, since: float, count: int = 1) -> asyncpg.Record:
        """The newest alarm once there are `count`; it must come in time."""
        while len(alarms := await self.alarms()) < count:
            waited = time.monotonic() - since
            assert waited < ALARM_WITHIN_S, f"{len(alarms)} alarms after {waited:.1f} s"
            await asyncio.sleep(0.01)
        took = time.monotonic() - since
        print(f"{alarms[-1]['kind']} after {took:.2f} s: {alarms[-1]['detail']}")  # noqa: T201 — with -s
        return alarms[-1]


@pytest.fixture
async def watch(town: Town, databases: Settings, root: asyncpg.Connection) -> AsyncIterator[Watch]:
    """Watching; the first postings are verified and nothing is wrong."""
    watch = Watch(databases, town.signer)
    await watch.start()
    await watch.caught_up()
    assert await watch.alarms() == []
    yield watch
    await watch.stop()
