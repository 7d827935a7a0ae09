"""The rush with a kill in the middle, on real processes: the openers', the ledger's, PostgreSQL's.

Whoever heard an amount before the crash hears the same after it, a hundred have a share, and the
books are clean to the fen.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec
import pytest

from backend import db, keys, rpc, services
from backend.clock import FixedClock, SystemClock
from backend.errors import DomainError
from backend.keys import FileSigner
from backend.ledger import Ledger, NewAccount
from backend.ledger.service import LedgerService
from backend.redpacket import OpenPacket, PacketEmpty, RedPackets
from backend.risk import Risk
from backend.risk import service as risk_service
from backend.settings import Settings, to_environment
from tests.conftest import Servers, enterable
from tests.ledger.test_crash import World as Processes
from tests.ledger.test_crash import running_in, up
from tests.redpacket.conftest import Party, prove
from tests.redpacket.crowd import crowd
from tests.world import Line, SmsBox, Wallet, World

PEOPLE, SHARES, TOTAL_FEN = 1000, 100, 88_88
HEARD = 10  # answers before the kill, at least

OPENERS = """
import asyncio, sys
from tests.redpacket.test_rush_crash import open_for_all
asyncio.run(open_for_all(sys.argv[1], sys.stdin.read()))
"""


async def open_for_all(packet_id: str, people: str) -> None:
    """A process of its own: opens for everybody, and says what it hears, a line each."""
    from backend import settings as settings_module

    settings = settings_module.load()
    await db.SEC.open(settings.sec_url)
    decider = risk_service.build(settings, SystemClock(), SmsBox())
    built, _ = await services.build(settings, risk=cast(Risk, decider))

    async def one(person_id: str, device_secret: str) -> None:
        try:
            share = await built.redpackets.open(
                OpenPacket(packet_id=packet_id, person_id=person_id, device_secret=device_secret)
            )
        except Exception as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
        else:
            sys.stdout.write(f"{person_id} {share.amount_fen}\n")
            sys.stdout.flush()

    # In waves, so that a kill finds some who have heard and some who have not.
    pairs = [line.split() for line in people.splitlines()]
    for start in range(0, len(pairs), 20):
        await asyncio.gather(*(one(*pair) for pair in pairs[start : start + 20]))


@pytest.fixture
async def processes(servers: Servers, settings: Settings) -> AsyncIterator[Processes]:
    with tempfile.TemporaryDirectory(prefix="yipay-rush-", ignore_cleanup_errors=True) as name:
        async with running_in(enterable(Path(name)), servers) as made:
            made.settings = msgspec.structs.replace(
                made.settings, sec_url=settings.sec_url, bank_keys=settings.bank_keys
            )
            yield made


@asynccontextmanager
async def party_of(processes: Processes) -> AsyncIterator[Party]:
    settings = processes.settings
    async with AsyncExitStack() as stack:
        for database, url in ((db.TX, settings.tx_url), (db.SEC, settings.sec_url)):
            await database.open(url)
            stack.push_async_callback(database.close)
        await db.BOOKS.open(settings.books_url, size=2)
        stack.push_async_callback(db.BOOKS.close)
        ledger, client = rpc.connect(Ledger, settings.ledger_rpc, settings)
        stack.push_async_callback(client.close)
        await up(ledger)
        bank, sms, clock = FileSigner(Path(settings.keys_dir), "bank"), SmsBox(), SystemClock()
        keys.publish(Path(settings.bank_keys), bank)
        decider = risk_service.build(settings, clock, sms)
        built, close = await services.build(settings, risk=cast(Risk, decider))
        stack.push_async_callback(close)
        await ledger.open_accounts((NewAccount("bank:clearing", None), NewAccount("bank:transit")))
        yield Party(
            world=World(
                settings=settings,
                clock=FixedClock(clock.now()),
                books=cast(LedgerService, ledger),
                ledger=Line(ledger),
                risk=Line(decider),
                sms=sms,
                bank=bank,
                services=built,
            )
        )


async def heard_of(process: "asyncio.subprocess.Process", heard: dict[str, int]) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        person_id, amount = line.decode().split()
        heard[person_id] = int(amount)


async def insisted(packets: RedPackets, packet_id: str, wallet: Wallet) -> int:
    """What the person hears at last; 0 if they came too late."""
    for _ in range(300):
        try:
            share = await packets.open(
                OpenPacket(
                    packet_id=packet_id,
                    person_id=wallet.person_id,
                    device_secret=wallet.device_secret,
                )
            )
        except PacketEmpty:
            return 0
        except (DomainError, OSError):
            await asyncio.sleep(0.1)
        else:
            return share.amount_fen
    pytest.fail("no answer")


@pytest.mark.crash
@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["openers", "ledger", "postgres"])
async def test_the_answers_outlive_a_crash(processes: Processes, victim: str) -> None:
    async with party_of(processes) as party:
        anna = await party.world.person(100_00, trusted=False)
        people = await crowd(PEOPLE, party.world.books, SystemClock().now())
        packet = await party.send(anna, total_fen=TOTAL_FEN, count=SHARES)
        openers = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", OPENERS, packet.packet_id),
            env=to_environment(processes.settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        heard: dict[str, int] = {}
        listening = asyncio.create_task(heard_of(openers, heard))
        assert openers.stdin is not None
        lines = "\n".join(f"{one.person_id} {one.device_secret}" for one in people)
        openers.stdin.write(lines.encode())
        openers.stdin.close()
        while len(heard) < HEARD:
            assert openers.returncode is None
            await asyncio.sleep(0.001)
        kills: dict[str, Callable[[], None]] = {
            "openers": openers.kill,
            "ledger": processes.kill_ledger,
            "postgres": processes.kill_postgres,
        }
        await asyncio.to_thread(kills[victim])
        if victim != "openers":
            await asyncio.sleep(0.5)
            with suppress(ProcessLookupError):  # it may be through
                openers.kill()
        await openers.wait()
        await listening
        assert len(heard) >= HEARD
    async with party_of(processes) as party:
        packets = party.world.services.redpackets
        answers = await asyncio.gather(
            *(insisted(packets, packet.packet_id, one) for one in people)
        )
        told = {one.person_id: fen for one, fen in zip(people, answers, strict=True)}
        assert {person: told[person] for person in heard} == heard
        assert (sum(told.values()), sum(fen > 0 for fen in answers)) == (TOTAL_FEN, SHARES)
        for _ in range(60):
            await packets.sweep()
            if (await party.pot(packet)) == 0:
                break
            await asyncio.sleep(0.5)
        await packets.sweep()
        balances = [await party.world.balance(one.account_id) for one in people]
        assert balances == answers
        assert (await packets.verify(packet.packet_id)).fair
        await prove(processes.settings)
