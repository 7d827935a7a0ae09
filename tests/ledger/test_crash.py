"""kill -9 of the ledger process, and of PostgreSQL, under load: 20 rounds on real processes.

Nothing acknowledged is lost, nothing is posted twice, and the books are proven after each round.
"""

import asyncio
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from backend import db, keys, roles, rpc
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.ids import new
from backend.ledger import Ledger, NewAccount, Post, Posted
from backend.ledger.audit import audit
from backend.migrate import migrate
from backend.settings import Settings, to_environment
from tests.conftest import PASSWORD, Servers, enterable, point_at, start_cluster, stop_cluster
from tests.ledger.conftest import BANK, move
from tests.ledger.signing import Authority

ROUNDS = 20
CALLERS = 16
PEOPLE = [f"person:{n}" for n in range(8)]

SERVE = """
import asyncio
from backend import settings
from backend.ledger import process
asyncio.run(process.run(settings.load()))
"""


class World:
    """A durable cluster and a ledger process that can be killed."""

    def __init__(self, settings: Settings, folder: Path, cluster: subprocess.Popen[bytes]) -> None:
        self.settings, self.folder, self.cluster = settings, folder, cluster
        self.process = self._serve()

    def _serve(self) -> subprocess.Popen[bytes]:
        with (self.folder / "ledger.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", SERVE],
                env=to_environment(self.settings),
                stdout=log,
                stderr=log,
            )

    def kill_ledger(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self._serve()

    def kill_postgres(self) -> None:
        self.cluster.send_signal(signal.SIGQUIT)  # what `pg_ctl -m immediate` sends
        self.cluster.wait()
        _, self.cluster = start_cluster("tx", self.folder, ())


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    # Not pytest's folder: every run of pytest closes that one to the clusters' users.
    with tempfile.TemporaryDirectory(prefix="yipay-crash-", ignore_cleanup_errors=True) as name:
        async with running_in(enterable(Path(name)), servers) as made:
            yield made


@asynccontextmanager
async def running_in(folder: Path, servers: Servers) -> AsyncIterator[World]:
    cluster, process = start_cluster("tx", folder, ())
    settings = msgspec.structs.replace(
        point_at(cluster, servers.sec, roles.TX_DATABASE, roles.SEC_DATABASE),
        keys_dir=str(folder / "keys"),
        verdict_keys=str(folder / "verdict.json"),
        ledger_rpc=f"unix:{folder}/ledger.sock",
    )
    await roles.create(
        cluster.url("postgres", PASSWORD, "postgres"),
        roles.TX_DATABASE,
        dict.fromkeys(roles.TX_ROLES, PASSWORD),
    )
    await asyncio.to_thread(migrate, settings, ("tx",))
    made = World(settings, folder, process)
    try:
        yield made
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(timeout=20) == 0, (folder / "ledger.log").read_text()
    finally:
        made.process.kill()
        made.process.wait()
        stop_cluster(made.cluster)


class Load:
    """Callers that post and note what they were told."""

    def __init__(self, ledger: Ledger, authority: Authority) -> None:
        self.ledger, self.authority = ledger, authority
        self.told: dict[str, Posted] = {}
        self.unsure: list[Post] = []
        self.stopping = False

    async def caller(self) -> None:
        while not self.stopping:
            debit, credit = secrets.choice([*PEOPLE, BANK]), secrets.choice(PEOPLE)
            if debit == credit:
                continue
            post = self.authority.post(move(debit, credit, 1 + secrets.randbelow(50), new("pay")))
            try:
                self.told[post.posting.posting_id] = await self.ledger.post(post)
            except (Unavailable, OutcomeUnknown):
                self.unsure.append(post)
                await asyncio.sleep(0.05)
            except DomainError:
                continue  # insufficient funds

    async def settle(self) -> None:
        """Ask again, with the same ids, what came of the calls whose answers were lost."""
        for post in self.unsure:
            await self._insist(post)
        self.unsure.clear()

    async def _insist(self, post: Post) -> None:
        for _ in range(200):
            try:
                self.told[post.posting.posting_id] = await self.ledger.post(post)
                return
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.1)
            except DomainError:
                return
        pytest.fail("the ledger did not come back")


async def up(ledger: Ledger) -> None:
    for _ in range(200):
        try:
            await ledger.ping()
            return
        except DomainError:
            await asyncio.sleep(0.1)
    pytest.fail("the ledger did not start")


async def proven(world: World, load: Load) -> int:
    """The books are clean, and hold each acknowledged posting where it was said to be."""
    await db.BOOKS.open(world.settings.books_url, size=1)
    try:
        proof = await audit(db.BOOKS, keys.published(Path(world.settings.verdict_keys)))
        rows = await db.BOOKS.query("select posting_id, journal_seq from ledger.posting")
    finally:
        await db.BOOKS.close()
    assert proof.clean, proof.faults[:5]
    stored = {row["posting_id"]: row["journal_seq"] for row in rows}
    assert len(stored) == len(rows)
    lost = [p for p, posted in load.told.items() if stored.get(p) != posted.journal_seq]
    assert lost == []
    return len(rows)


@pytest.mark.crash
@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_in_20_crashes(world: World) -> None:
    ledger, client = rpc.connect(Ledger, world.settings.ledger_rpc, world.settings)
    load = Load(ledger, Authority(world.settings))
    await up(ledger)
    await ledger.open_accounts((NewAccount(BANK, None), *(NewAccount(p) for p in PEOPLE)))
    before = 0
    for number in range(ROUNDS):
        load.stopping = False
        callers = [asyncio.create_task(load.caller()) for _ in range(CALLERS)]
        await asyncio.sleep(0.2 + secrets.randbelow(200) / 1000)
        kill = world.kill_ledger if number % 2 else world.kill_postgres
        await asyncio.to_thread(kill)
        load.stopping = True
        await asyncio.gather(*callers)
        await up(ledger)
        await load.settle()
        after = await proven(world, load)
        assert after > before, "a round without load proves nothing"
        before = after
    await client.close()
