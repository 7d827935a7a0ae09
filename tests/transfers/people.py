"""People who know each other, and what they send."""

from typing import Any

import msgspec

from backend import ids
from backend.db import TX
from backend.payments import Confirm
from backend.transfers import NewRequest, Request, StartTransfer, Transfer, TransferStarted
from tests.world import Wallet, World

A_MINUTE = range(6)  # sweeps, one every ten seconds


class Two(msgspec.Struct, frozen=True):
    payer: Wallet
    payee: Wallet


async def befriend(world: World, one: Wallet, other: Wallet) -> None:
    friends = world.services.friends
    link = await friends.link(other.person_id)
    await friends.ask(ids.new("frq"), one.person_id, link, "")
    await friends.accept(other.person_id, one.person_id)


def sending(two: Two, **changes: Any) -> StartTransfer:
    plain = StartTransfer(
        transfer_id=ids.new("trf"),
        payment_id=ids.new("pay"),
        payer_id=two.payer.person_id,
        payee_id=two.payee.person_id,
        amount_fen=88_00,
        note="午饭",
        device_secret=two.payer.device_secret,
    )
    return msgspec.structs.replace(plain, **changes)


def confirming(payer: Wallet, started: TransferStarted) -> Confirm:
    assert started.requirement is not None
    ceremony = started.requirement.ceremony
    assert ceremony is not None
    return Confirm(
        payment_id=started.transfer.payment_id,
        payer_id=payer.person_id,
        device_secret=payer.device_secret,
        ceremony_id=ceremony.ceremony_id,
        response_json=payer.passkey.sign(ceremony.options_json),
    )


async def send(world: World, two: Two, **changes: Any) -> Transfer:
    """With a passkey where one is asked for."""
    started = await world.services.transfers.start(sending(two, **changes))
    if started.requirement is None:
        return started.transfer
    return await world.services.transfers.confirm(confirming(two.payer, started))


async def ask(world: World, asker: Wallet, *shares: tuple[Wallet, int], **more: Any) -> Request:
    return await world.services.transfers.request(
        NewRequest(
            request_id=ids.new("req"),
            person_id=asker.person_id,
            note="火锅",
            shares=tuple((wallet.person_id, amount_fen) for wallet, amount_fen in shares),
            **more,
        )
    )


def paying_share(request: Request, payer: Wallet, **changes: Any) -> StartTransfer:
    [share] = [share for share in request.shares if share.person_id == payer.person_id]
    plain = StartTransfer(
        transfer_id=ids.new("trf"),
        payment_id=ids.new("pay"),
        payer_id=payer.person_id,
        payee_id=request.person_id,
        amount_fen=share.amount_fen,
        note=request.note,
        request_id=request.request_id,
        device_secret=payer.device_secret,
    )
    return msgspec.structs.replace(plain, **changes)


async def a_minute(world: World) -> None:
    for _ in A_MINUTE:
        world.later(seconds=10)
        await world.services.payments.sweep()
        await world.services.transfers.sweep()


async def news_of(wallet: Wallet) -> list[tuple[str, str]]:
    rows = await TX.query(
        "select kind, ref from events.event where topic = $1 order by event_id",
        f"person:{wallet.person_id}",
    )
    return [(row["kind"], row["ref"]) for row in rows]


async def phone_of(world: World, wallet: Wallet) -> str:
    return (await world.services.identity.person(wallet.person_id)).phone


async def found_by_number(world: World, payer: Wallet, stranger: Wallet) -> str:
    """The id that the number stands for."""
    number = await phone_of(world, stranger)
    return (await world.services.transfers.payee(payer.person_id, number)).payee_id
