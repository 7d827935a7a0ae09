"""Asking for money, of one or split among many."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.friends import OwnSelf
from backend.payments import AmountChanged, OrderBusy, OrderExpired, OrderPaid
from backend.transfers import (
    MAX_REQUESTS,
    Blocked,
    NewRequest,
    PayeeUnknown,
    RemindedLately,
    Request,
    RequestEnded,
    TooManyRequests,
)
from tests.transfers.people import (
    Two,
    ask,
    befriend,
    confirming,
    news_of,
    paying_share,
)
from tests.world import Wallet, World


def states(request: Request) -> list[str]:
    return [share.status for share in request.shares]


async def three(world: World) -> tuple[Wallet, Wallet, Wallet]:
    """One who asks and two friends with money."""
    asker = await world.person(name="安娜")
    one, other = await world.person(800_00, name="李雷"), await world.person(800_00, name="韩梅梅")
    for friend in (one, other):
        await befriend(world, asker, friend)
    return asker, one, other


async def test_who_has_paid_is_seen_by_all(world: World) -> None:
    transfers = world.services.transfers
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 33_33), (other, 33_33))
    assert (request.status, states(request)) == ("open", ["open", "open"])
    assert [share.name for share in request.shares] == ["李雷", "韩梅梅"]
    for wallet in (asker, one, other):
        assert ("request_asked", request.request_id) in await news_of(wallet)

    sent = (await transfers.start(paying_share(request, one))).transfer
    assert (sent.status, sent.request_id) == ("arrived", request.request_id)
    for wallet in (asker, one, other):
        seen = await transfers.find_request(wallet.person_id, request.request_id)
        assert (seen.status, states(seen)) == ("open", ["paid", "open"])
        assert seen.shares[0].transfer_id == sent.transfer_id
        assert ("request_paid", request.request_id) in await news_of(wallet)
    # The two who are asked are no friends of each other.
    seen = await transfers.find_request(one.person_id, request.request_id)
    assert [share.name for share in seen.shares] == ["李雷", "*梅梅"]

    await transfers.start(paying_share(request, other))
    done = await transfers.find_request(asker.person_id, request.request_id)
    assert (done.status, states(done)) == ("done", ["paid", "paid"])
    assert await world.balance(asker.account_id) == 66_66
    assert [r.request_id for r in await transfers.requests(other.person_id)] == [done.request_id]


async def test_a_group_splits_and_sees_it(world: World) -> None:
    asker, one, other = await three(world)
    friends, transfers = world.services.friends, world.services.transfers
    stranger = await world.person(100_00, name="王芳")
    group = await friends.new_group(ids.new("grp"), asker.person_id, "火锅")
    link = await friends.invite_link(asker.person_id, group.group_id)
    for wallet in (one, stranger):
        await friends.join_group(wallet.person_id, link)
    request = await ask(world, asker, (one, 10_00), (stranger, 10_00), group_id=group.group_id)
    assert [share.name for share in request.shares] == ["李雷", "王芳"]
    paid = await transfers.start(paying_share(request, stranger, name_check="安"))
    assert paid.transfer.status == "arrived"
    with pytest.raises(NotFound):
        await transfers.find_request(other.person_id, request.request_id)
    await friends.join_group(other.person_id, link)
    seen = await transfers.find_request(other.person_id, request.request_id)
    assert states(seen) == ["open", "paid"]
    with pytest.raises(NotFound):  # but nothing is asked of them
        await transfers.start(paying_share(request, one, payer_id=other.person_id))


@pytest.mark.parametrize("same_form", [True, False])
async def test_a_share_is_paid_once_however_many_forms_are_open(
    world: World, same_form: bool
) -> None:
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 50_00), (other, 1))
    form = paying_share(request, one)
    forms = [form if same_form else paying_share(request, one) for _ in range(5)]
    answers = await asyncio.gather(
        *(world.services.transfers.start(each) for each in forms), return_exceptions=True
    )
    for answer in answers:
        assert not isinstance(answer, BaseException) or isinstance(answer, DomainError), answer
    await world.services.payments.sweep()
    seen = await world.services.transfers.find_request(asker.person_id, request.request_id)
    assert states(seen) == ["paid", "open"]
    assert await world.balance(asker.account_id) == 50_00
    world.later(minutes=20)
    await world.services.payments.sweep()
    await world.services.transfers.sweep()
    ends = [
        (await world.services.transfers.transfer(one.person_id, each.transfer_id)).status
        for each in forms
        if await _exists(world, one, each.transfer_id)
    ]
    assert ends.count("arrived") == (len(ends) if same_form else 1)
    assert set(ends) <= {"arrived", "refused", "lapsed"}


async def _exists(world: World, wallet: Wallet, transfer_id: str) -> bool:
    try:
        await world.services.transfers.transfer(wallet.person_id, transfer_id)
    except NotFound:
        return False
    return True


async def test_two_passkeys_for_one_share_pay_it_once(world: World) -> None:
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 600_00), (other, 1))
    transfers = world.services.transfers
    first = await transfers.start(paying_share(request, one))
    second = await transfers.start(paying_share(request, one))
    done = await transfers.confirm(confirming(one, second))
    assert done.status == "arrived"
    with pytest.raises(OrderPaid):
        await transfers.confirm(confirming(one, first))
    with pytest.raises(RequestEnded):
        await transfers.start(paying_share(request, one))
    assert await world.balance(asker.account_id) == 600_00


async def test_a_share_can_be_paid_after_its_first_form_ran_out(world: World) -> None:
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 600_00), (other, 1))
    transfers = world.services.transfers
    late = await transfers.start(paying_share(request, one))
    world.later(minutes=16)
    await world.services.payments.sweep()
    await world.services.payments.sweep()
    again = await transfers.start(paying_share(request, one))
    with pytest.raises((OrderExpired, DomainError)):
        await transfers.confirm(confirming(one, late))
    assert (await transfers.confirm(confirming(one, again))).status == "arrived"
    assert await world.balance(asker.account_id) == 600_00


async def test_declining_ends_a_share_for_good(world: World) -> None:
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 600_00), (other, 10_00))
    transfers = world.services.transfers
    started = await transfers.start(paying_share(request, one))
    with pytest.raises(OrderBusy):  # it is being paid, in another window
        await transfers.decline(one.person_id, request.request_id)
    world.later(minutes=3)
    declined = await transfers.decline(one.person_id, request.request_id)
    assert states(declined) == ["declined", "open"]
    assert await transfers.decline(one.person_id, request.request_id) == declined
    for form in (paying_share(request, one), paying_share(request, one)):
        with pytest.raises(RequestEnded):
            await transfers.start(form)
    with pytest.raises(DomainError):
        await transfers.confirm(confirming(one, started))
    assert await world.balance(asker.account_id) == 0
    assert ("request_declined", request.request_id) in await news_of(asker)
    await transfers.start(paying_share(request, other))
    done = await transfers.find_request(asker.person_id, request.request_id)
    assert done.status == "done"
    for ending in (transfers.withdraw, transfers.remind):
        with pytest.raises(RequestEnded):
            await ending(asker.person_id, request.request_id)
    with pytest.raises(RequestEnded):
        await transfers.decline(other.person_id, request.request_id)


async def test_paying_and_declining_at_once_agree(world: World) -> None:
    asker, one, other = await three(world)
    request = await ask(world, asker, (one, 50_00), (other, 1))
    transfers = world.services.transfers
    await asyncio.gather(
        transfers.start(paying_share(request, one)),
        transfers.decline(one.person_id, request.request_id),
        return_exceptions=True,
    )
    await world.services.payments.sweep()
    seen = await transfers.find_request(asker.person_id, request.request_id)
    paid = await world.balance(asker.account_id)
    assert (seen.shares[0].status, paid) in (("paid", 50_00), ("declined", 0), ("open", 0))


async def test_withdrawing_and_expiring(world: World) -> None:
    asker, one, other = await three(world)
    transfers = world.services.transfers
    taken = await ask(world, asker, (one, 10_00), (other, 10_00))
    await transfers.start(paying_share(taken, one))
    seen = await transfers.withdraw(asker.person_id, taken.request_id)
    assert (seen.status, states(seen)) == ("withdrawn", ["paid", "open"])
    assert await transfers.withdraw(asker.person_id, taken.request_id) == seen
    with pytest.raises(RequestEnded):
        await transfers.start(paying_share(taken, other))

    late = await ask(world, asker, (one, 10_00))
    world.later(days=7)
    seen = await transfers.find_request(one.person_id, late.request_id)
    assert seen.status == "expired"
    for ended in (
        transfers.decline(one.person_id, late.request_id),
        transfers.withdraw(asker.person_id, late.request_id),
        transfers.remind(asker.person_id, late.request_id),
        transfers.start(paying_share(late, one)),
    ):
        with pytest.raises(RequestEnded):
            await ended
    assert await transfers.sweep() == 1
    assert await transfers.sweep() == 0
    assert ("request_expired", late.request_id) in await news_of(asker)


async def test_reminders_keep_their_distance(world: World) -> None:
    asker, one, other = await three(world)
    transfers = world.services.transfers
    request = await ask(world, asker, (one, 10_00), (other, 10_00))
    await transfers.start(paying_share(request, one))
    reminded = await transfers.remind(asker.person_id, request.request_id)
    assert reminded.reminded_at == world.clock.now()
    told = ("request_reminded", request.request_id)
    assert told in await news_of(other)
    assert told not in await news_of(one)  # who has paid is left in peace
    world.later(hours=1, minutes=30)
    with pytest.raises(RemindedLately) as refusal:
        await transfers.remind(asker.person_id, request.request_id)
    assert refusal.value.params == {"hours": 11}
    world.later(hours=10, minutes=30)
    await transfers.remind(asker.person_id, request.request_id)
    assert (await news_of(other)).count(told) == 2


async def test_whom_one_may_ask(world: World) -> None:
    asker, one, other = await three(world)
    stranger = await world.person()
    with pytest.raises(PayeeUnknown):
        await ask(world, asker, (one, 1), (stranger, 1))
    with pytest.raises(PayeeUnknown):  # a group that is not mine
        await ask(world, asker, (stranger, 1), group_id=ids.new("grp"))
    with pytest.raises(OwnSelf):
        await ask(world, asker, (asker, 1))
    await world.services.friends.block(other.person_id, asker.person_id, True)
    with pytest.raises(Blocked):
        await ask(world, asker, (other, 1))
    await world.services.friends.block(other.person_id, asker.person_id, False)
    await world.services.friends.block(asker.person_id, one.person_id, True)
    with pytest.raises((Blocked, PayeeUnknown)):
        await ask(world, asker, (one, 1))


async def test_bad_requests_and_replays(world: World, two: Two) -> None:
    transfers = world.services.transfers
    good = NewRequest(
        request_id=ids.new("req"),
        person_id=two.payee.person_id,
        note="火锅",
        shares=((two.payer.person_id, 10_00),),
    )
    made = await transfers.request(good)
    assert await transfers.request(good) == made
    someone = two.payer.person_id
    for bad in (
        {"shares": ()},
        {"shares": ((someone, 0),)},
        {"shares": ((someone, -5),)},
        {"shares": ((someone, 10_000_000_001),)},
        {"shares": ((someone, 1), (someone, 2))},
        {"shares": tuple((ids.new("usr"), 1) for _ in range(101))},
        {"shares": (("bank", 1),)},
        {"note": "x" * 65},
        {"note": "\u2067evil"},
        {"request_id": ids.new("trf")},
        {"group_id": "everybody"},
    ):
        with pytest.raises(BadRequest):
            await transfers.request(
                msgspec.structs.replace(good, **({"request_id": ids.new("req")} | bad))
            )
    with pytest.raises(IdReused):
        await transfers.request(msgspec.structs.replace(good, note="other"))
    form = paying_share(made, two.payer)
    for changed, why in (
        ({"amount_fen": 9_99}, AmountChanged),
        ({"request_id": ids.new("req")}, NotFound),
    ):
        with pytest.raises(why):
            await transfers.start(msgspec.structs.replace(form, **changed))


async def test_only_those_who_take_part_act(world: World, two: Two) -> None:
    transfers = world.services.transfers
    request = await ask(world, two.payee, (two.payer, 10_00))
    other = await world.person()
    for call in (transfers.find_request, transfers.decline, transfers.withdraw, transfers.remind):
        with pytest.raises(NotFound):
            await call(other.person_id, request.request_id)
        with pytest.raises(NotFound):
            await call(two.payer.person_id, ids.new("req"))
    for own in (transfers.withdraw, transfers.remind):
        with pytest.raises(NotFound):
            await own(two.payer.person_id, request.request_id)
    with pytest.raises(NotFound):  # nobody declines for others
        await transfers.decline(two.payee.person_id, request.request_id)


async def test_requests_of_a_day_are_limited(world: World, two: Two) -> None:
    for _ in range(MAX_REQUESTS):
        await ask(world, two.payee, (two.payer, 1))
    with pytest.raises(TooManyRequests):
        await ask(world, two.payee, (two.payer, 1))
    world.clock.move(timedelta(days=1))
    await ask(world, two.payee, (two.payer, 1))


async def test_requests_that_are_asked_together_are_all_counted(world: World, two: Two) -> None:
    answers = await asyncio.gather(
        *(ask(world, two.payee, (two.payer, 1)) for _ in range(2 * MAX_REQUESTS)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, TooManyRequests)]
    assert len(refused) == MAX_REQUESTS
    assert len(await world.services.transfers.requests(two.payer.person_id)) == MAX_REQUESTS
