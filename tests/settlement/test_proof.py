"""Chance plays shop, customers, bank and worker for two weeks; the ledger proves every batch."""

from datetime import timedelta
from random import Random  # noqa: TID251 — a seed must be able to tell the same story again

import pytest

from backend.sales import Sale
from backend.settlement import rules
from tests.settlement.conftest import Shop, Street

SEEDS = range(4)
DAYS = 10
CARDS = ("0001", "0002", "0003", "0005", "0006", "0007", "0010", "2001")


class Story:
    def __init__(self, street: Street, shop: Shop, chance: Random) -> None:
        self.street, self.shop, self.chance = street, shop, chance
        self.left: dict[str, int] = {}  # of each sale, what may be given back
        self.sales: list[Sale] = []
        self.net = 0

    async def a_day(self) -> None:
        for _ in range(self.chance.choice((0, 0, 3, 8))):
            self.street.world.clock.move(timedelta(minutes=self.chance.randint(1, 100)))
            await (self._refund() if self.chance.random() < 0.3 else self._sell())
            await self.check()
            if self.chance.random() < 0.5:
                await self._work()

    async def _sell(self) -> None:
        amount = self.chance.randint(1, 200_00)
        fee = self.chance.randint(0, amount // 50)
        sale = await self.street.sell(self.shop, amount, fee)
        self.sales.append(sale)
        self.left[sale.sale_id] = amount
        self.net += amount - fee

    async def _refund(self) -> None:
        """Of any sale, however old; as much as the account bears."""
        balance = await self.street.world.balance(self.shop.account)
        open_ones = [s for s in self.sales if self.left[s.sale_id] and balance]
        if not open_ones:
            return
        sale = self.chance.choice(open_ones)
        amount = self.chance.randint(1, min(self.left[sale.sale_id], balance))
        await self.street.refund(self.shop, sale, amount)
        self.left[sale.sale_id] -= amount
        self.net -= amount

    async def _work(self) -> None:
        """A worker that may find parts away, and another beside it."""
        world = self.street.world
        lines = {"down": world.risk, "lost": world.ledger}
        fault = self.chance.choice(("", "", "down", "lost"))
        if fault == "down":
            lines[fault].down = True
        if fault == "lost":
            lines[fault].lost.add("post")
        await self.street.settle(1)
        for line in lines.values():
            line.heal()

    async def check(self) -> None:
        """The account has what is not paid yet and what came since; nothing is counted twice."""
        world, shop = self.street.world, self.shop
        batches = await self.street.batches(shop)
        out = sum(b.sent_fen for b in batches if b.status == "on_its_way")
        paid = sum(b.paid_fen for b in batches)
        balance = await world.balance(shop.account)
        in_payout = await world.balance("bank:payout")
        assert balance + in_payout + await self._sent() == self.net
        coming = await self.street.settlement.next(shop.shop_id)
        assert coming.net_fen == self.net - paid - out
        for batch in batches:
            assert 0 <= batch.paid_fen <= max(batch.net_fen, 0)

    async def _sent(self) -> int:
        """Fen that the books say has gone to the bank for good."""
        entries = await self.street.world.books.statement("bank:clearing", 0, 100)
        return sum(e.amount_fen for e in entries if e.reason == "payout_sent")


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_batches_and_books_agree(street: Street, seed: int) -> None:
    chance = Random(seed)
    shop = await street.shop(chance.choice(CARDS))
    story = Story(street, shop, chance)
    for _ in range(DAYS):
        await story.a_day()
        street.at(chance.choice((1, 3, 12)), days=chance.choice((1, 1, 2)))
        if chance.random() < 0.3:
            await street.choose(shop, await street.card(shop.owner, chance.choice(CARDS)))
        await street.settle(chance.choice((0, 1, 3)))
        await story.check()
    await the_end(street, story)


async def the_end(street: Street, story: Story) -> None:
    """All faults over: with a good card, all of it reaches cards, and the bank agrees (I8)."""
    shop, world = story.shop, street.world
    await street.choose(shop, await street.card(shop.owner, "2002"))
    for _ in range(3):
        street.at(12, days=1)
        await street.settle(4)
    batches = await street.batches(shop)
    paid = sum(b.paid_fen for b in batches)
    assert {b.status for b in batches} <= {"waiting", "paid", "returned"}
    assert await world.balance(shop.account) == story.net - paid == 0
    assert await world.balance("bank:payout") == await world.balance("bank:transit") == 0
    for batch in batches:  # a closed day's sums are the ledger's own
        hours = await world.services.sales.hours(
            shop.shop_id, rules.start_of(batch.day), rules.end_of(batch.day)
        )
        assert sum(rules.net_of(hour) for hour in hours) + batch.carried_fen == batch.net_fen
    await custody_matches(street)


async def custody_matches(street: Street) -> None:
    """What the bank says it holds is −clearing, and that is what everybody owns."""
    world = street.world
    clearing = await world.balance("bank:clearing")
    owned = await world.balance(street.customer.account_id) + await world.balance("fee:income")
    assert -clearing == owned == await street.custody()
