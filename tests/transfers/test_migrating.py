"""Transfers from before their payee's name was kept as it was asked."""

from datetime import timedelta

from backend.db import TX
from tests.earlier import back, forwards
from tests.transfers.people import Two, a_minute, found_by_number, send, sending
from tests.world import World

ASKED = "2026-11-23T07:30:00:000070"


async def test_over_transfers_that_are_under_way(world: World, two: Two) -> None:
    transfers, stranger = world.services.transfers, await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    by_number = sending(two, payee_id=number_id, name_check="韩")
    begun, delayed = sending(two, amount_fen=600_00), sending(two, delay=timedelta(hours=2))
    answers = [await transfers.start(each) for each in (by_number, begun, delayed)]
    assert [each.transfer.status for each in answers] == ["arrived", "created", "waiting"]

    await back(world.settings, "transfers", ASKED, {})
    await forwards(world.settings)

    for asked, before in zip((by_number, begun, delayed), answers, strict=True):
        assert (await transfers.start(asked)).transfer == before.transfer
    rows = await TX.query("select asked_id from transfers.transfer where asked_id <> payee_id")
    assert [row["asked_id"] for row in rows] == [number_id]
    world.later(hours=25)
    await a_minute(world)
    assert (await transfers.start(by_number)).transfer == answers[0].transfer
    ended = [
        await transfers.transfer(two.payer.person_id, one.transfer_id) for one in (begun, delayed)
    ]
    assert [one.status for one in ended] == ["lapsed", "arrived"]
    assert await world.balance(two.payee.account_id) == 88_00
    assert (await send(world, two, payee_id=stranger.person_id)).status == "arrived"
