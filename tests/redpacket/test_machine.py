"""A model of red packets, driven at random through sends, grabs, openings, crashes and ends.

The model knows what was promised to whom. After every step the product keeps it, and at the end
each packet's shares and its return add up to what was put in, with books that are clean.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from backend import services
from backend.db import TX
from backend.errors import DomainError, NotFound
from backend.redpacket import PACKET_LIFE, OpenPacket, SendPacket, Share
from backend.settings import Settings
from tests.redpacket.conftest import Party, prove
from tests.world import Crash, Wallet, open_world

T = TypeVar("T")
Row = dict[str, Any]

PEOPLE, FUNDED_FEN = 4, 2_000_00
PASSCODE = "芝麻开门"
FAULTS = (
    ("risk", "crash_before", "judge_openers"),
    ("risk", "crash_before", "authorize_shares"),
    ("risk", "crash_after", "authorize_shares"),
    ("risk", "lost", "authorize_shares"),
    ("risk", "crash_after", "authorize_pot_end"),
    ("risk", "lost", "authorize_pot_end"),
    ("risk", "crash_after", "authorize"),
    ("ledger", "crash_before", "post"),
    ("ledger", "crash_after", "post"),
    ("ledger", "lost", "post"),
    ("ledger", "lost", "outcome"),
)
WHO = st.integers(0, PEOPLE - 1)
UNPAID = {"created", "refused", "lapsed"}
# Where nothing is broken: what must be true for each refusal.
REFUSED = {
    "not_found": "unpaid",
    "packet_not_for_you": "not_for_you",
    "packet_empty": "empty",
    "packet_expired": "expired",
    "passcode_wrong": "passcode",
    "passcode_spent": "passcode",
}


class Known(msgspec.Struct):
    """What the model knows of a packet. promised: amounts that were told, by person."""

    sent: SendPacket
    expires_at: datetime
    promised: dict[str, int] = {}


class Field(msgspec.Struct):
    """What all runs share: a world, its people, a group of the first three."""

    party: Party
    people: list[Wallet]
    group: str
    loop: asyncio.AbstractEventLoop
    close: services.Closer | None = None

    async def restart(self) -> None:
        """What was in memory is gone."""
        world = self.party.world
        if self.close is not None:
            await self.close()
        world.services, self.close = await services.build(
            world.settings,
            clock=world.clock,
            ledger=cast(Any, world.ledger),
            risk=cast(Any, world.risk),
        )


class Machine(RuleBasedStateMachine):
    packets = Bundle("packets")

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field, self.party, self.world = field, field.party, field.party.world
        self.known: dict[str, Known] = {}
        self.broken = False
        self.before: dict[str, int] = {}

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(task, self.field.loop).result(timeout=60)

    @initialize()
    def begin(self) -> None:
        self.before = self.run(self._balances())

    @rule(
        target=packets,
        who=WHO,
        kind=st.sampled_from(("equal", "lucky", "lucky", "exclusive", "passcode")),
        each=st.integers(1, 300),
        over=st.integers(0, 50),
        count=st.integers(1, PEOPLE),
        in_group=st.booleans(),
    )
    def send(self, who: int, kind: str, each: int, over: int, count: int, in_group: bool) -> str:
        sender, alone, in_group = self.field.people[who], kind == "exclusive", in_group and who < 3
        count = 1 if alone else min(count, 3) if in_group else count
        asked = self.party.sending(
            sender,
            kind=kind,
            count=count,
            total_fen=each * count + (over if kind in ("lucky", "passcode") else 0),
            to_person=self.field.people[who - 1].person_id if alone else "",
            to_group=self.field.group if in_group and not alone else "",
            passcode=PASSCODE if kind == "passcode" else "",
        )
        self.known[asked.packet_id] = Known(asked, self.world.clock.now() + PACKET_LIFE)
        self.run(self._send(sender, asked))
        return asked.packet_id

    @rule(packet=packets, who=WHO)
    def grab(self, packet: str, who: int) -> None:
        self.run(self._grab(self.known[packet], self.field.people[who].person_id))

    @rule(packet=packets, who=WHO, right=st.sampled_from((True, True, True, False)))
    def open(self, packet: str, who: int, right: bool) -> None:
        code = PASSCODE if right else "西瓜开门"
        self.run(self._open(self.known[packet], self.field.people[who], code))

    @rule(packet=packets)
    def rush(self, packet: str) -> None:
        """Everybody at once, the first one twice."""
        people = [*self.field.people, self.field.people[0]]

        async def all_at_once() -> None:
            await asyncio.gather(*(self._open(self.known[packet], one, PASSCODE) for one in people))

        self.run(all_at_once())

    @rule(minutes=st.sampled_from((1, 6, 60, 8 * 60, 24 * 60)))
    def wait(self, minutes: int) -> None:
        self.world.later(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.run(self._sweep())

    @rule(fault=st.sampled_from(FAULTS))
    def break_something(self, fault: tuple[str, str, str]) -> None:
        system, kind, method = fault
        getattr(getattr(self.world, system), kind).add(method)
        self.broken = True

    @rule()
    def heal(self) -> None:
        self.world.ledger.heal()
        self.world.risk.heal()
        self.broken = False

    @rule()
    def restart(self) -> None:
        self.run(self.field.restart())

    @invariant()
    def promises_are_kept(self) -> None:
        self.run(self._check())

    def teardown(self) -> None:
        """Everything heals and ends; then all of it adds up."""
        self.heal()
        self.restart()
        for minutes in (0, *[9 * 60] * 3, *[6] * 4):
            self.world.later(minutes=minutes)
            self.sweep()
        self.run(self._settle())

    async def _send(self, sender: Wallet, asked: SendPacket) -> None:
        async with self._outliving():
            started = await self.world.services.redpackets.send(asked)
            if started.requirement is not None:
                await self.party.confirm(sender, asked.payment_id, started.requirement)

    async def _grab(self, known: Known, person_id: str) -> None:
        """Reserves nothing, and says what is true."""
        packet_id, row = known.sent.packet_id, await self._row(known)
        try:
            glance = await self.world.services.redpackets.grab(person_id, packet_id)
        except NotFound:
            assert row["status"] in UNPAID
            return
        if glance.mine is not None:
            assert glance.state == "mine"
            self._promise(known, glance.mine)
            return
        assert person_id not in known.promised
        word = "passcode" if glance.state == "spent" else glance.state
        assert word == self._truths(known, row, person_id)[0]

    async def _open(self, known: Known, wallet: Wallet, passcode: str) -> None:
        promised = wallet.person_id in known.promised
        asked = OpenPacket(
            packet_id=known.sent.packet_id,
            person_id=wallet.person_id,
            device_secret=wallet.device_secret,
            passcode=passcode,
        )
        try:
            share = await self.world.services.redpackets.open(asked)
        except (DomainError, Crash) as error:
            sound = not promised and await self._may_refuse(known, wallet.person_id, error)
            if not (self.broken or sound):
                raise
        else:
            assert self._for(known, wallet.person_id)
            self._promise(known, share)

    async def _may_refuse(self, known: Known, person_id: str, error: Exception) -> bool:
        truths = self._truths(known, await self._row(known), person_id)
        return REFUSED.get(getattr(error, "code", "")) in truths

    def _promise(self, known: Known, share: Share) -> None:
        """The same ever after."""
        assert known.promised.setdefault(share.person_id, share.amount_fen) == share.amount_fen

    def _for(self, known: Known, person_id: str) -> bool:
        group = [one.person_id for one in self.field.people[:3]]
        if known.sent.to_person:
            return person_id == known.sent.to_person
        return not known.sent.to_group or person_id in group

    def _truths(self, known: Known, row: Row, person_id: str) -> list[str]:
        """Why somebody who has no share may not open it, a glance's word first."""
        if row["status"] in UNPAID:
            return ["unpaid"]
        over = self.world.clock.now() >= row["expires_at"]
        truths = [
            ("not_for_you", not self._for(known, person_id)),
            ("empty", row["opened"] == known.sent.count),
            ("expired", over),
            ("passcode", bool(known.sent.passcode)),
        ]
        return [word for word, true in truths if true] or ["open"]

    async def _sweep(self) -> None:
        """As the worker does, which outlives what a sweep meets."""
        for sweep in (self.world.services.payments.sweep, self.world.services.redpackets.sweep):
            async with self._outliving():
                await sweep()

    @asynccontextmanager
    async def _outliving(self) -> AsyncIterator[None]:
        """What is broken shows as refusals or crashes, one or several; all else is a bug."""
        try:
            yield
        except* (DomainError, Crash):
            if not self.broken:
                raise

    async def _check(self) -> None:
        for packet_id, shares in (await self._shares()).items():
            known = self.known[packet_id]
            found = {share["person_id"]: share["amount_fen"] for share in shares}
            assert known.promised.items() <= found.items()
            assert len(found) == len(shares) <= known.sent.count
            assert [share["position"] for share in shares] == list(range(len(shares)))
            assert min(found.values()) >= 1
            assert sum(found.values()) <= known.sent.total_fen
            assert await self._pot(packet_id) >= 0

    async def _settle(self) -> None:
        shares, expected = await self._shares(), dict(self.before)
        for packet_id, known in self.known.items():
            row, mine = await self._row(known), shares.get(packet_id, [])
            if row["status"] in UNPAID:
                assert (row["status"] != "created", known.promised, mine) == (True, {}, [])
                continue
            claimed = sum(share["amount_fen"] for share in mine)
            assert {share["status"] for share in mine} <= {"posted"}
            assert claimed + row["returned_fen"] == known.sent.total_fen
            assert row["status"] == ("returned" if row["returned_fen"] else "empty")
            assert await self._pot(packet_id) == 0
            assert (await self.world.services.redpackets.verify(packet_id)).fair
            expected[known.sent.sender_id] -= claimed
            for share in mine:
                expected[share["person_id"]] += share["amount_fen"]
        assert await self._balances() == expected

    async def _row(self, known: Known) -> Row:
        rows = await TX.query(
            "select status, opened, expires_at, returned_fen from redpacket.packet"
            " where packet_id = $1",
            known.sent.packet_id,
        )
        return dict(rows[0]) if rows else {"status": "created"}

    async def _shares(self) -> dict[str, list[Row]]:
        """Of this run's packets, in the order of opening."""
        found: dict[str, list[Row]] = {}
        rows = await TX.query(
            "select packet_id, person_id, position, amount_fen, status from redpacket.share_now"
            " where packet_id = any($1) order by packet_id, position",
            list(self.known),
        )
        for row in rows:
            found.setdefault(row["packet_id"], []).append(dict(row))
        return found

    async def _pot(self, packet_id: str) -> int:
        return await self.world.balance(f"packet:{packet_id}")

    async def _balances(self) -> dict[str, int]:
        return {
            one.person_id: await self.world.balance(one.account_id) for one in self.field.people
        }


@pytest.mark.timeout(300)
async def test_packets_do_what_the_model_does(databases: Settings) -> None:
    loop = asyncio.get_running_loop()
    async with open_world(databases) as world:
        party = Party(world=world)
        people = [await world.person(FUNDED_FEN, trusted=False) for _ in range(PEOPLE)]
        for n, one in enumerate(people):
            await party.befriend(one, people[n - 1])
        world.later(days=1)
        field = Field(party, people, await party.group(*people[:3]), loop)
        try:
            await asyncio.to_thread(
                run_state_machine_as_test,
                cast(Any, lambda: Machine(field)),
                settings=hypothesis_settings(
                    max_examples=6,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            if field.close is not None:
                await field.close()
        await prove(databases)
