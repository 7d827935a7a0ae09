"""Chance plays the bank, the network, the processes and the clock; a seed tells its whole story.

The bank here is scripted, so that a thousand things go wrong in a second; ledger, risk and the
databases are real. Safety first (faults everywhere), then liveness (a minute after they end).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random  # noqa: TID251 — a seed must be able to tell the same story again
from typing import Any

import msgspec
import pytest

from backend import ids, keys
from backend.banking import (
    BankAnswer,
    BankUnavailable,
    BindCard,
    CardOffer,
    ConfirmCard,
    StartTopUp,
)
from backend.bankword import BankStatement, CardStatement, card_message, message
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.ledger import NewAccount
from backend.ledger.service import running
from backend.risk import BankWord
from backend.risk.service import build
from backend.sandbox.cards import number
from backend.settings import Settings
from tests.banking.conftest import Crash, Faulty, TravelClock, World

SEEDS = range(8)
PEOPLE, STEPS, AT_ONCE = 3, 40, 4
CALLS = {
    "ledger": ("open_accounts", "balances", "outcome", "post"),
    "risk": ("authorize_top_up",),
    "events": ("record",),
    "bank": ("debit", "find", "end", "refund"),
}


class Order(msgspec.Struct):
    person_id: str
    amount_fen: int
    outcome: str
    word: BankWord | None = None
    refunds: int = 0


class ChanceBank:
    """Loses questions and answers, decides late, and now and then says the opposite later."""

    def __init__(self, chance: Random, signer: keys.Signer) -> None:
        self.chance, self.signer = chance, signer
        self.cards: dict[str, CardStatement] = {}
        self.orders: dict[str, Order] = {}
        self.words: list[BankWord] = []
        self.calm = False

    async def offer_card(self, card_id: str, person_id: str, number: str, holder: str) -> CardOffer:
        token, bank_name = f"tok_{card_id}", "偶然银行"
        self.cards[token] = CardStatement(card_id, person_id, token, bank_name, number[-4:])
        return CardOffer(token=token, bank_name=bank_name)

    async def confirm_card(self, token: str, code: str) -> BankWord:
        signed = card_message(self.cards[token])
        return BankWord(signed, self.signer.key_id, self.signer.sign(signed))

    async def debit(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        await self._weather()
        if not self.calm and self.chance.random() < 0.2:
            return BankAnswer(outcome="pending")  # the question was lost
        if order_id not in self.orders:
            self.orders[order_id] = Order(person_id, amount_fen, "pending")
            if self.calm or self.chance.random() < 0.5:
                self.decide(order_id)
        if not self.calm and self.chance.random() < 0.3:
            return BankAnswer(outcome="pending")  # the answer was lost
        return self._answer(order_id)

    async def find(self, order_id: str) -> BankAnswer | None:
        await self._weather()
        return self._answer(order_id) if order_id in self.orders else None

    async def end(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        await self._weather()
        order = self.orders.setdefault(order_id, Order(person_id, amount_fen, "pending"))
        if order.outcome == "pending":
            self._say(order_id, "refused")
        return self._answer(order_id)

    async def refund(self, order_id: str) -> None:
        await self._weather()
        assert self.orders[order_id].outcome == "paid"
        self.orders[order_id].refunds = 1

    async def close(self) -> None:
        return None

    def decide(self, order_id: str) -> None:
        if self.orders[order_id].outcome == "pending":
            self._say(order_id, "paid" if self.chance.random() < 0.7 else "refused")

    def contradict(self, order_id: str) -> None:
        """Refused, it takes the money after all; the other way round would be theft of ours."""
        if self.orders[order_id].outcome == "refused":
            self._say(order_id, "paid")

    def custody(self) -> int:
        paid = [o for o in self.orders.values() if o.outcome == "paid" and not o.refunds]
        return sum(order.amount_fen for order in paid)

    def _say(self, order_id: str, outcome: str) -> None:
        order = self.orders[order_id]
        signed = message(
            BankStatement(order_id, order.person_id, order.amount_fen, "CNY", outcome, 1)
        )
        order.outcome = outcome
        order.word = BankWord(signed, self.signer.key_id, self.signer.sign(signed))
        self.words.append(order.word)

    def _answer(self, order_id: str) -> BankAnswer:
        order = self.orders[order_id]
        return BankAnswer(outcome=order.outcome, word=order.word)

    async def _weather(self) -> None:
        await asyncio.sleep(0)
        if not self.calm and self.chance.random() < 0.15:
            raise BankUnavailable()


class Story:
    """One seed."""

    def __init__(self, world: World, bank: ChanceBank, chance: Random) -> None:
        self.world, self.bank, self.chance = world, bank, chance
        self.people: list[tuple[str, str]] = []
        self.starts: list[StartTopUp] = []
        self.told: list[BankWord] = []

    async def tell(self) -> None:
        for _ in range(PEOPLE):
            await self._person()
        for _ in range(STEPS):
            acts = [
                self.chance.choice(self._acts()) for _ in range(self.chance.randint(1, AT_ONCE))
            ]
            self._break_something()
            await asyncio.gather(*(self._survive(act) for act in acts))
            if self.chance.random() < 0.5:
                self.world.heal()

    async def heal(self) -> None:
        """All faults end; what the bank has said arrives, once more and in another order."""
        self.world.heal()
        self.bank.calm = True
        for order_id in self.bank.orders:
            self.bank.decide(order_id)
        await self.world.books.set_frozen(tuple(f"person:{p}" for p, _ in self.people), False)
        self.chance.shuffle(self.bank.words)
        for word in self.bank.words:
            await self.world.banking.bank_said(word)
        for _ in range(4):
            await self.world.sweep()

    async def check(self) -> None:
        owed = dict.fromkeys((person_id for person_id, _ in self.people), 0)
        for start in self.starts:
            topup = await self.world.seen(start)
            order = self.bank.orders.get(start.topup_id)
            kept = order is not None and order.outcome == "paid" and not order.refunds
            assert (topup.status, topup.reversal) in {
                ("posted", ""),
                ("refused", ""),
                ("refused", "returned"),
            }
            assert (topup.status == "posted") == kept, (start.topup_id, topup, order)
            bill = await self.world.bills.bill(start.person_id, start.topup_id)
            assert bill.status == ("succeeded" if kept else "refused")
            owed[start.person_id] += start.amount_fen if kept else 0
        for person_id, fen in owed.items():
            assert await self.world.balance(f"person:{person_id}") == fen
        assert await self.world.balance("bank:transit") == 0
        assert await self.world.balance("bank:clearing") == -sum(owed.values())
        assert self.bank.custody() == sum(owed.values())

    # -- what can happen ------------------------------------------------------------------------

    def _acts(self) -> list[Callable[[], Awaitable[Any]]]:
        often = [self._start, self._call_back, self.world.sweep]
        return [*often, *often, self._again, self._late, self._forge, self._freeze]

    async def _survive(self, act: Callable[[], Awaitable[Any]]) -> None:
        with suppress(DomainError, Crash):
            await act()

    async def _person(self) -> None:
        person_id, card_id = ids.new("usr"), ids.new("crd")
        await self.world.banking.bind_card(
            BindCard(
                card_id=card_id,
                person_id=person_id,
                number=number("622200", "0001"),
                holder="张三",
            )
        )
        await self.world.banking.confirm_card(
            ConfirmCard(card_id=card_id, person_id=person_id, code="0000")
        )
        await self.world.books.open_accounts((NewAccount(f"person:{person_id}"),))
        self.people.append((person_id, card_id))

    async def _start(self) -> None:
        person_id, card_id = self.chance.choice(self.people)
        start = StartTopUp(
            topup_id=ids.new("top"),
            person_id=person_id,
            card_id=card_id,
            amount_fen=self.chance.randint(1, 500_00),
        )
        try:
            await self.world.banking.top_up(start)
        finally:
            if await self._kept(start):
                self.starts.append(start)

    async def _kept(self, start: StartTopUp) -> bool:
        try:
            await self.world.seen(start)
        except DomainError:
            return False
        return True

    async def _again(self) -> None:
        if self.starts:
            await self.world.banking.top_up(self.chance.choice(self.starts))

    async def _call_back(self) -> None:
        if self.bank.words:
            await self.world.banking.bank_said(self.chance.choice(self.bank.words))

    async def _late(self) -> None:
        waiting = list(self.bank.orders)
        if waiting:
            order_id = self.chance.choice(waiting)
            self.bank.decide(order_id)
            if self.chance.random() < 0.2:
                self.bank.contradict(order_id)
        if self.chance.random() < 0.1:
            self.world.clock.move(3600)

    async def _forge(self) -> None:
        if not self.bank.words:
            return
        word = self.chance.choice(self.bank.words)
        other = self.chance.choice(self.bank.words)
        await self.world.banking.bank_said(msgspec.structs.replace(word, signature=other.signature))

    async def _freeze(self) -> None:
        person_id, _ = self.chance.choice(self.people)
        await self.world.books.set_frozen((f"person:{person_id}",), self.chance.random() < 0.5)

    def _break_something(self) -> None:
        part = self.chance.choice(list(CALLS))
        when = getattr(getattr(self.world, part), self.chance.choice(["before", "after"]))
        error = self.chance.choice([Crash(), Unavailable(), OutcomeUnknown()])
        when[self.chance.choice(CALLS[part])] = error


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    clock = TravelClock()
    async with running(databases, clock) as ledger:
        made = World(databases, clock, ledger, build(databases, clock, audited=False))
        yield made
        await made.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_the_books_match_the_bank(world: World, seed: int) -> None:
    chance = Random(seed)
    signer = keys.FileSigner(world.settings.path("bank-keys"), "bank")
    keys.publish(Path(world.settings.bank_keys), signer)
    bank = ChanceBank(chance, signer)
    world.bank = Faulty(bank)
    world.rebuild()
    story = Story(world, bank, chance)
    await story.tell()
    assert len(story.starts) > 5
    await story.heal()
    await story.check()
