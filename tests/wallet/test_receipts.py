"""Signed receipts of money that went through a pot: its postings have ids of their own."""

from datetime import timedelta
from pathlib import Path

import pytest

from backend import ids, keys
from backend.bills import Bill
from backend.db import TX
from backend.errors import NotFound
from backend.receipt import Receipt, encode, verify
from backend.wallet.receipts import receipt_of
from tests.redpacket.conftest import Party, party
from tests.transfers.people import Two, send
from tests.world import Wallet, World

__all__ = ["party"]


async def only_bill(world: World, wallet: Wallet, kind: str) -> Bill:
    found = await world.services.bills.page(wallet.person_id, "", 20)
    [bill] = [bill for bill in found.bills if bill.kind == kind]
    return bill


async def receipt(world: World, wallet: Wallet, bill_id: str) -> Receipt:
    """As it was written to a file and verified elsewhere."""
    made = await receipt_of(world.services, wallet.person_id, bill_id)
    return verify(encode(made), keys.published(Path(world.settings.verdict_keys)))


async def test_a_packet_has_one_for_each_of_its_ways(party: Party) -> None:
    world = party.world
    sender, anna, lena = [await world.person(100_00 * (not n)) for n in range(3)]
    for other in (anna, lena):
        await party.befriend(sender, other)
    group_id = await party.group(sender, anna, lena)
    packet = await party.send(sender, kind="equal", total_fen=9_00, to_group=group_id)
    for opener in (anna, lena):
        await party.open(packet, opener)
    sent = await receipt(world, sender, (await only_bill(world, sender, "packet_out")).bill_id)
    assert (sent.reason, sent.direction, sent.went_out.amount) == ("packet", "out", 9_00)
    for opener in (anna, lena):
        got = await receipt(world, opener, (await only_bill(world, opener, "packet_in")).bill_id)
        assert (got.account, got.came_in.amount) == (opener.account_id, 3_00)
        assert got.payer.id == packet.packet_id
    world.later(hours=25)
    for _ in range(3):
        await world.services.redpackets.sweep()
    back = await only_bill(world, sender, "packet_return")
    returned = await receipt(world, sender, back.bill_id)
    assert (returned.direction, returned.came_in.amount) == ("in", 3_00)
    with pytest.raises(NotFound):
        await receipt_of(world.services, anna.person_id, back.bill_id)


async def test_money_on_its_way_has_one_at_each_end(party: Party) -> None:
    world = party.world
    payee = await world.person(name="李雷")
    payer = await world.person(2_000_00)
    await party.befriend(payer, payee)
    sent = await send(world, Two(payer=payer, payee=payee), delay=timedelta(hours=2))
    out = await receipt(world, payer, sent.payment_id)
    assert (out.account, out.went_out.amount) == (payer.account_id, 88_00)
    with pytest.raises(NotFound):
        await receipt_of(world.services, payee.person_id, sent.payment_id)
    world.later(hours=2)
    await world.services.transfers.sweep()
    came = await receipt(world, payee, sent.payment_id)
    assert (came.account, came.came_in.amount) == (payee.account_id, 88_00)
    assert came.id != out.id


async def test_what_the_books_do_not_know_has_none(party: Party) -> None:
    """A bill that somebody wrote into the table proves nothing."""
    world = party.world
    anna = await world.person(5_00)
    real = Bill(
        person_id=anna.person_id,
        bill_id=ids.new("pay"),
        kind="payment",
        direction="out",
        counterparty="x",
        amount_fen=1,
        status="succeeded",
        event_at=world.clock.now(),
    )
    async with TX.transaction():
        await world.services.bills.record((real,))
    with pytest.raises(NotFound):
        await receipt_of(world.services, anna.person_id, real.bill_id)
