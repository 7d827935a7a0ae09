"""Money put aside: an order whose payee is a red packet or a delayed transfer."""

from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.clock import to_ms
from backend.db import TX
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.intent import PotTerms
from backend.payments import LedgerUnavailable, NotForYou, OpenOrder, Order, OwnCode, StartRefund
from backend.payments.records import find_order, find_payment
from tests.payments.test_charging import heard
from tests.payments.test_flows import FORMS, confirming
from tests.world import Crash, Wallet, World

KINDS = pytest.mark.parametrize(
    ("prefix", "kind", "account", "bill"),
    [("red", "packet", "packet", "packet_out"), ("trf", "delayed", "escrow", "transfer")],
)


def terms(world: World, prefix: str = "red", **changes: Any) -> PotTerms:
    until_ms = to_ms(world.clock.now() + timedelta(hours=24))
    plain = (
        PotTerms("", 3, until_ms, b"h" * 32)
        if prefix == "red"
        else PotTerms(ids.new("usr"), 1, until_ms)
    )
    return msgspec.structs.replace(plain, **changes)


def an_order(world: World, payer: Wallet, prefix: str = "red", **changes: Any) -> OpenOrder:
    plain = OpenOrder(
        order_id=ids.new("ord"),
        payee_id=ids.new(prefix),
        owner_id="",
        payee_name="红包",
        amount_fen=30_00,
        note="恭喜发财",
        code="none",
        opened_by=payer.person_id,
        payer_id=payer.person_id,
        terms=terms(world, prefix),
    )
    return msgspec.structs.replace(plain, **changes)


def pot(order: Order) -> str:
    kind = "packet" if order.payee_id.startswith("red_") else "escrow"
    return f"{kind}:{order.payee_id}"


async def opened(world: World, payer: Wallet, prefix: str = "red", **changes: Any) -> Order:
    new = an_order(world, payer, prefix, **changes)
    order = await world.services.payments.open_order(new)
    await world.services.payments.open_pot(pot(order))
    return order


@FORMS
@KINDS
async def test_money_is_put_aside(
    world: World, prefix: str, kind: str, account: str, bill: str
) -> None:
    payer = await world.person(100_00, name="李明")
    asked = an_order(world, payer, prefix)
    order = await opened(world, payer, prefix, order_id=asked.order_id, terms=asked.terms)
    assert (order.terms, order.fee_fen) == (asked.terms, 0)
    quote = await world.services.payments.quote(
        order.order_id, payer.person_id, payer.device_secret
    )
    assert (quote.requirement.takes, quote.short_fen) == ("none", 0)

    paid = (await world.services.payments.start(world.paying(payer, order))).payment

    assert (paid.status, paid.fee_fen) == ("posted", 0)
    assert await world.balance(payer.account_id) == 70_00
    assert await world.balance(f"{account}:{order.payee_id}") == 30_00
    row = await find_payment(paid.payment_id)
    assert row is not None
    intent = row.asked()
    assert (intent.kind, intent.posting.reason, intent.terms) == (kind, kind, asked.terms)
    seen = await world.services.bills.bill(payer.person_id, paid.payment_id)
    assert (seen.kind, seen.direction, seen.counterparty) == (bill, "out", "红包")
    assert await TX.query("select 1 from bills.bill where person_id <> $1", payer.person_id) == []
    assert await TX.query("select 1 from sales.sale") == []
    assert await heard(world, f"person:{payer.person_id}") == [("payment_posted", paid.payment_id)]


@KINDS
async def test_much_money_takes_a_passkey(
    world: World, prefix: str, kind: str, account: str, bill: str
) -> None:
    payer = await world.person(1_000_00)
    order = await opened(world, payer, prefix, amount_fen=600_00)
    started = await world.services.payments.start(world.paying(payer, order))
    assert started.payment.status == "created"
    paid = await world.services.payments.confirm(confirming(payer, started))
    assert (paid.status, paid.level) == ("posted", "A")
    assert await world.balance(f"{account}:{order.payee_id}") == 600_00


async def test_a_pot_is_opened_once_and_holds_what_is_in_it(world: World) -> None:
    payer = await world.person(100_00)
    order = await opened(world, payer)
    for _ in range(2):
        await world.services.payments.open_pot(pot(order))
    [balance] = await world.books.balances((pot(order),))
    assert (balance.posted_fen, balance.available_fen) == (0, 0)


async def test_the_ledger_was_away_when_a_pot_was_opened(world: World) -> None:
    payer = await world.person(100_00)
    world.ledger.down = True
    order = await opened(world, payer)
    world.ledger.heal()
    start = world.paying(payer, order)
    with pytest.raises(LedgerUnavailable):
        await world.services.payments.start(start)
    await world.services.payments.sweep()
    assert (await world.services.payments.start(start)).payment.status == "posted"
    assert await world.balance(pot(order)) == 30_00


@pytest.mark.parametrize("account_id", ["packet:red_1", "packet:", "", "shop:mch_1", "escrow:x:y"])
async def test_other_accounts_are_no_pots(world: World, account_id: str) -> None:
    with pytest.raises(BadRequest):
        await world.services.payments.open_pot(account_id)


async def test_a_pot_has_its_own_kind_of_account(world: World) -> None:
    for account_id in (f"escrow:{ids.new('red')}", f"packet:{ids.new('usr')}"):
        with pytest.raises(BadRequest):
            await world.services.payments.open_pot(account_id)


async def test_only_its_payer_pays_it(world: World) -> None:
    payer, other = await world.person(100_00), await world.person(100_00)
    order = await opened(world, payer)
    with pytest.raises(NotForYou):
        await world.services.payments.start(world.paying(other, order))
    assert await world.balance(other.account_id) == 100_00


@pytest.mark.parametrize(
    "changes",
    [
        {"terms": None},
        {"code": "dynamic"},
        {"payer_id": ""},
        {"payer_id": "usr_1"},
        {"owner_id": "usr_1"},
        {"payee_id": "mch_1"},
        {"payee_id": "abc_1"},
    ],
)
async def test_half_an_order_is_none(world: World, changes: dict[str, Any]) -> None:
    payer = await world.person()
    with pytest.raises(BadRequest):
        await opened(world, payer, **changes)


@pytest.mark.parametrize("shares", [0, -1, 101])
async def test_shares_have_bounds(world: World, shares: int) -> None:
    payer = await world.person()
    with pytest.raises(BadRequest):
        await opened(world, payer, terms=terms(world, shares=shares))


async def test_terms_belong_to_the_order(world: World) -> None:
    payer = await world.person()
    new = an_order(world, payer)
    order = await world.services.payments.open_order(new)
    assert await world.services.payments.open_order(new) == order
    assert await world.services.payments.order(order.order_id) == order
    with pytest.raises(IdReused):
        await world.services.payments.open_order(
            msgspec.structs.replace(new, terms=terms(world, shares=4))
        )


async def test_terms_can_not_be_changed_behind_our_back(
    world: World, owner_of_tables: asyncpg.Connection
) -> None:
    order = await opened(world, await world.person())
    for change in ("'\\x01'", "null"):
        with pytest.raises(asyncpg.PostgresError):
            await owner_of_tables.execute(
                f"update payments.orders set sealed_terms = {change} where order_id = $1",
                order.order_id,
            )
    stored = await find_order(order.order_id)
    assert stored is not None
    assert stored.pot_terms() == order.terms


async def test_what_was_put_aside_is_no_sale_to_refund(world: World) -> None:
    payer = await world.person(100_00)
    order = await opened(world, payer)
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    with pytest.raises(NotFound):
        await world.services.payments.refund(
            StartRefund(
                refund_id=ids.new("rfd"),
                payment_id=paid.payment_id,
                shop_id=order.payee_id,
                actor_id=payer.person_id,
                amount_fen=30_00,
                reason="x",
                device_secret=payer.device_secret,
            )
        )


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
async def test_a_crash_while_it_was_posted(world: World, fault: str) -> None:
    """Found too late to be posted with its verdict, it is refused; posted unseen, it is found."""
    payer = await world.person(100_00)
    order = await opened(world, payer)
    getattr(world.ledger, fault).add("post")
    start = world.paying(payer, order)
    with pytest.raises(Crash):
        await world.services.payments.start(start)
    world.ledger.heal()
    world.later(minutes=1)
    await world.services.payments.sweep()
    payment = await world.services.payments.payment(payer.person_id, start.payment_id)
    aside = 30_00 if fault == "crash_after" else 0
    assert payment.status == ("posted" if aside else "refused")
    assert await world.balance(pot(order)) == aside
    assert await world.balance(payer.account_id) == 100_00 - aside


async def a_transfer(world: World, payer: Wallet, payee: Wallet, **changes: Any) -> Order:
    plain = an_order(
        world, payer, payee_id=payee.person_id, owner_id=payee.person_id, payee_name="安娜"
    )
    new = msgspec.structs.replace(plain, terms=None, **changes)
    return await world.services.payments.open_order(new)


async def test_a_transfer_needs_no_code(world: World) -> None:
    payer, payee = await world.person(100_00, name="李明"), await world.person()
    order = await a_transfer(world, payer, payee)
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    assert (paid.status, paid.level, paid.fee_fen) == ("posted", "C", 0)
    assert await world.balance(payee.account_id) == 30_00
    sides = [
        await world.services.bills.bill(who.person_id, paid.payment_id) for who in (payer, payee)
    ]
    assert [(b.kind, b.direction, b.counterparty) for b in sides] == [
        ("transfer", "out", "安娜"),
        ("transfer", "in", "*明"),
    ]


async def test_whose_transfer_it_is(world: World) -> None:
    payer, payee = await world.person(100_00), await world.person(100_00)
    with pytest.raises(BadRequest):
        await a_transfer(world, payer, payee, payer_id="")
    order = await a_transfer(world, payer, payee)
    for other, refusal in ((payee, NotForYou), (await world.person(100_00), NotForYou)):
        with pytest.raises(DomainError) as refused:
            await world.services.payments.start(world.paying(other, order))
        assert type(refused.value) is refusal
    own = await a_transfer(world, payer, payer)
    with pytest.raises(OwnCode):
        await world.services.payments.start(world.paying(payer, own))
