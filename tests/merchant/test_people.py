"""A shop's people: invited, joined with their own passkey, changed, removed; and what they did."""

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from backend import ids
from backend.db import SEC, TX
from backend.errors import BadRequest, NotFound
from backend.merchant import Change, Merchant, NoShop, Seat, TooMany
from backend.merchant.service import MerchantService
from backend.payments import RiskUnavailable
from backend.risk import (
    AlreadyMember,
    Approval,
    InvitationInvalid,
    MemberForbidden,
    Risk,
)
from backend.shop_roles import ROLES, Role
from tests.merchant.conftest import parts_of
from tests.world import Crash, Line, Wallet, World

UNSIGNED = Approval("usr_x", "cer_x", b"{}")


@pytest.fixture
async def owner(world: World) -> Wallet:
    wallet = await world.person(name="老王")
    await world.shop(wallet)
    return wallet


@pytest.fixture
async def seat(world: World, owner: Wallet) -> Seat:
    return await world.services.merchant.seat(owner.person_id)


@pytest.fixture
async def li(world: World) -> Wallet:
    return await world.person(name="小李")


async def kinds(merchant: Merchant, seat: Seat) -> list[str]:
    return [act.kind for act in reversed(await merchant.acts(seat, 0, 50))]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
async def test_the_invited_joins_with_their_own_passkey(
    world: World, owner: Wallet, seat: Seat, li: Wallet, role: Role
) -> None:
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    invited = await merchant.invite(seat, await world.inviting(owner, role, store.store_id))
    assert (invited.shop_name, invited.role) == (seat.shop_name, role)
    assert await merchant.invitation(invited.secret) == invited
    bound = store.store_id if role is Role.CASHIER else ""
    approval = await world.joining(li, invited.secret)
    joined = await merchant.join(approval, invited.secret)
    assert (joined.person_id, joined.role, joined.store_id) == (li.person_id, role, bound)
    assert joined.permissions == ROLES[role]
    assert await merchant.seat(li.person_id) == joined
    [first, second] = await merchant.members(seat)
    assert (first.name, first.role) == ("老王", Role.OWNER)
    assert (second.name, second.role, second.store_id) == ("小李", role, bound)
    assert await kinds(merchant, seat) == ["shop_founded", "member_invited", "member_joined"]
    assert (await merchant.acts(seat, 0, 1))[0].person_name == "小李"


@pytest.mark.parametrize("form", ["remote"])
async def test_people_join_where_risk_is_another_process(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    joined = await world.hire(owner, li, Role.MANAGER)
    members = await world.services.merchant.members(joined)
    assert {member.role for member in members} == {Role.OWNER, Role.MANAGER}
    with pytest.raises(InvitationInvalid):
        await world.services.merchant.invitation("A" * 43)


async def test_an_invitation_works_once(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    other = await world.person(name="小张")
    invited = await merchant.invite(seat, await world.inviting(owner))
    approval, late = [await world.joining(who, invited.secret) for who in (li, other)]
    await merchant.join(approval, invited.secret)
    with pytest.raises(InvitationInvalid):
        await merchant.join(late, invited.secret)
    with pytest.raises(InvitationInvalid):
        await merchant.invitation(invited.secret)
    with pytest.raises(InvitationInvalid):
        await merchant.begin_joining(other.person_id, invited.secret)
    with pytest.raises(NoShop):
        await merchant.seat(other.person_id)


async def test_joining_twice_at_once_is_joining(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    invited = await merchant.invite(seat, await world.inviting(owner))
    approval = await world.joining(li, invited.secret)
    first = await merchant.join(approval, invited.secret)
    assert await merchant.join(approval, invited.secret) == first
    assert (await kinds(merchant, seat)).count("member_joined") == 1


async def test_a_member_is_not_invited_again(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    other = await world.person()
    await world.hire(owner, li, Role.CASHIER)
    invited = await merchant.invite(seat, await world.inviting(owner, Role.MANAGER))
    approval = await world.joining(li, invited.secret)
    await world.joining(other, invited.secret)  # began last, and never joins
    with pytest.raises(AlreadyMember):
        await merchant.join(approval, invited.secret)
    assert (await merchant.seat(li.person_id)).role is Role.CASHIER


@pytest.mark.parametrize("secret", ["A" * 43, "-" * 43])
async def test_an_unknown_secret_opens_nothing(world: World, li: Wallet, secret: str) -> None:
    merchant = world.services.merchant
    with pytest.raises(InvitationInvalid):
        await merchant.invitation(secret)
    with pytest.raises(InvitationInvalid):
        await merchant.begin_joining(li.person_id, secret)


async def test_an_invitation_is_over_after_a_day(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    invited = await merchant.invite(seat, await world.inviting(owner))
    approval = await world.joining(li, invited.secret)
    world.later(days=1, seconds=1)
    assert invited.expires_at <= world.clock.now() + timedelta()
    for call in (merchant.invitation(invited.secret), merchant.join(approval, invited.secret)):
        with pytest.raises(InvitationInvalid):
            await call


async def test_asking_again_gives_a_new_secret_and_ends_the_old_one(
    world: World, owner: Wallet, seat: Seat
) -> None:
    merchant, invite = world.services.merchant, await world.inviting(owner)
    first, second = [await merchant.invite(seat, invite) for _ in range(2)]
    assert first.secret != second.secret
    assert (await merchant.invitation(second.secret)).invitation_id == invite.invitation_id
    with pytest.raises(InvitationInvalid):
        await merchant.invitation(first.secret)
    assert (await kinds(merchant, seat)).count("member_invited") == 1


async def test_nobody_is_invited_as_owner_or_to_a_foreign_store(
    world: World, owner: Wallet, seat: Seat
) -> None:
    merchant = world.services.merchant
    other = await world.shop(await world.person())
    [foreign] = await merchant.stores(await world.seat(other))
    with pytest.raises(BadRequest):
        await merchant.invite(seat, await world.inviting(owner, Role.OWNER))
    with pytest.raises(NotFound):
        await merchant.invite(seat, await world.inviting(owner, store_id=foreign.store_id))
    with pytest.raises(NotFound):
        await merchant.invite(seat, await world.inviting(owner, store_id=ids.new("sto")))


async def test_a_shop_has_a_hundred_members(
    world: World, owner: Wallet, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.merchant.people.MAX_MEMBERS", 1)
    with pytest.raises(TooMany) as refused:
        await world.services.merchant.invite(seat, await world.inviting(owner))
    assert refused.value.params == {"limit": 1}


async def test_a_removed_member_is_out_at_once(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.MANAGER)
    theirs = await merchant.invite(
        await merchant.seat(li.person_id), await world.inviting(li, Role.CASHIER)
    )
    await merchant.change_member(seat, await world.changing(owner, li.person_id, None, ""))
    with pytest.raises(NoShop):
        await merchant.seat(li.person_id)
    with pytest.raises(NotFound):
        await merchant.take_seat(li.person_id, seat.shop_id)
    with pytest.raises(InvitationInvalid):  # what they had given out is void
        await merchant.invitation(theirs.secret)
    with pytest.raises(NotFound):
        await merchant.change_member(seat, await world.changing(owner, li.person_id, None, ""))
    assert len(await merchant.members(seat)) == 1
    assert (await kinds(merchant, seat))[-1] == "member_removed"
    await world.hire(owner, li, Role.CASHIER)  # may come back
    assert (await merchant.seat(li.person_id)).role is Role.CASHIER


async def test_roles_and_stores_change(world: World, owner: Wallet, seat: Seat, li: Wallet) -> None:
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    await world.hire(owner, li, Role.CASHIER)
    await merchant.change_member(
        seat, await world.changing(owner, li.person_id, Role.CASHIER, store.store_id)
    )
    assert (await merchant.seat(li.person_id)).store_id == store.store_id
    await merchant.change_member(
        seat, await world.changing(owner, li.person_id, Role.CASHIER, store.store_id)
    )
    await merchant.change_member(
        seat, await world.changing(owner, li.person_id, Role.FINANCE, store.store_id)
    )
    finance = await merchant.seat(li.person_id)
    assert (finance.permissions, finance.store_id) == (ROLES[Role.FINANCE], "")
    assert (await kinds(merchant, seat))[-3:] == [
        "member_store_changed",
        "member_role_changed",
        "member_store_changed",
    ]
    with pytest.raises(NotFound):
        await merchant.change_member(
            seat, await world.changing(owner, li.person_id, Role.FINANCE, ids.new("sto"))
        )


async def test_the_owner_stays_the_owner(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    manager = await world.hire(owner, li, Role.MANAGER)
    for by, who, member_id, role in (
        (manager, li, owner.person_id, None),
        (manager, li, owner.person_id, Role.CASHIER),
        (manager, li, li.person_id, Role.OWNER),
        (seat, owner, owner.person_id, Role.MANAGER),
        (seat, owner, li.person_id, Role.OWNER),
    ):
        with pytest.raises(MemberForbidden):
            await merchant.begin_changing(by, member_id, role, "")
        unsigned = Change(
            member_id=member_id, role=role, device_secret=who.device_secret, approval=UNSIGNED
        )
        with pytest.raises(MemberForbidden):
            await merchant.change_member(by, unsigned)
    assert [m.role for m in await merchant.members(seat)] == [Role.OWNER, Role.MANAGER]


async def test_what_risk_refuses_is_not_written(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.CASHIER)
    before = await kinds(merchant, seat)
    await world.services.risk.freeze(owner.person_id, owner.device_secret)
    with pytest.raises(MemberForbidden):  # who froze their account changes nobody's rights
        await merchant.change_member(
            seat, await world.changing(owner, li.person_id, Role.MANAGER, "")
        )
    with pytest.raises(MemberForbidden):
        await merchant.invite(seat, await world.inviting(owner))
    world.risk.down = True
    with pytest.raises(RiskUnavailable):
        await merchant.change_member(
            seat, await world.changing(owner, li.person_id, Role.MANAGER, "")
        )
    with pytest.raises(RiskUnavailable):
        await merchant.invite(seat, await world.inviting(owner))
    assert (await merchant.seat(li.person_id)).role is Role.CASHIER
    assert len(await merchant.members(seat)) == 2  # reading goes on
    assert await kinds(merchant, seat) == before


def crashing(world: World, **faults: set[str]) -> MerchantService:
    line = Line(world.services.risk)
    for name, methods in faults.items():
        setattr(line, name, methods)
    return MerchantService(parts_of(world, risk=cast(Risk, line)))


@pytest.mark.parametrize("next_step", ["the same call", "the staff page"])
async def test_joining_that_crashed_heals(
    world: World, owner: Wallet, seat: Seat, li: Wallet, next_step: str
) -> None:
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    invited = await merchant.invite(seat, await world.inviting(owner, Role.CASHIER, store.store_id))
    approval = await world.joining(li, invited.secret)
    with pytest.raises(Crash):
        await crashing(world, crash_after={"join_shop"}).join(approval, invited.secret)
    with pytest.raises(NoShop):
        await merchant.seat(li.person_id)
    if next_step == "the same call":
        await merchant.join(approval, invited.secret)
    else:
        await merchant.members(seat)
    joined = await merchant.seat(li.person_id)
    assert (joined.role, joined.store_id) == (Role.CASHIER, store.store_id)


@pytest.mark.parametrize("next_step", ["the same call", "the staff page"])
@pytest.mark.parametrize("role", [None, Role.MANAGER])
async def test_a_change_that_crashed_heals(
    world: World, owner: Wallet, seat: Seat, li: Wallet, role: Role | None, next_step: str
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.CASHIER)
    change = (seat, await world.changing(owner, li.person_id, role))
    with pytest.raises(Crash):
        await crashing(world, crash_after={"change_member"}).change_member(*change)
    assert (await merchant.seat(li.person_id)).role is Role.CASHIER  # not yet
    if next_step == "the same call":
        await merchant.change_member(*change)
    else:
        await merchant.members(seat)
    [act] = await merchant.acts(seat, 0, 1)
    assert act.kind == ("member_removed" if role is None else "member_role_changed")
    assert act.person_id == (owner.person_id if next_step == "the same call" else "")
    if role is None:
        with pytest.raises(NoShop):
            await merchant.seat(li.person_id)
    else:
        assert (await merchant.seat(li.person_id)).role is role


async def test_who_was_removed_elsewhere_can_not_be_changed(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.CASHIER)
    await SEC.query("delete from risk.shop_member where person_id = $1", li.person_id)
    with pytest.raises(NotFound):
        await merchant.change_member(
            seat, await world.changing(owner, li.person_id, Role.MANAGER, "")
        )
    with pytest.raises(NoShop):
        await merchant.seat(li.person_id)


async def test_a_shop_that_risk_does_not_know_is_founded_when_it_is_needed(
    world: World, li: Wallet
) -> None:
    """As shops are that were opened before, or while it was away."""
    merchant, owner = world.services.merchant, await world.person()
    world.risk.down = True
    await world.shop(owner)
    world.risk.heal()
    seat = await merchant.seat(owner.person_id)
    assert await world.services.risk.members(seat.shop_id) == ()
    assert len(await merchant.members(seat)) == 1
    await world.hire(owner, li, Role.CASHIER)
    known = await world.services.risk.members(seat.shop_id)
    assert {member.role for member in known} == {Role.OWNER, Role.CASHIER}


async def test_a_person_sits_in_the_shop_they_took_last(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    own = await world.shop(li, "小李茶铺")
    await world.hire(owner, li, Role.FINANCE)
    assert (await merchant.seat(li.person_id)).shop_id == seat.shop_id  # joined last
    taken = await merchant.take_seat(li.person_id, own.shop_id)
    assert (await merchant.seat(li.person_id)) == taken
    assert [s.shop_id for s in await merchant.seats(li.person_id)] == [own.shop_id, seat.shop_id]
    await asyncio.gather(
        *(merchant.take_seat(li.person_id, s.shop_id) for s in (taken, seat) for _ in range(5))
    )
    assert len(await merchant.seats(li.person_id)) == 2


async def test_acts_are_paged_and_can_not_be_changed(
    world: World, owner: Wallet, seat: Seat
) -> None:
    merchant = world.services.merchant
    for n in range(5):
        await merchant.record(seat, "orders_exported", f"file {n}")
    newest = await merchant.acts(seat, 0, 3)
    older = await merchant.acts(seat, newest[-1].act_id, 3)
    assert [act.ref for act in (*newest, *older)] == [
        *(f"file {n}" for n in (4, 3, 2, 1, 0)),
        seat.shop_id,
    ]
    for limit, before in ((0, 0), (101, 0), (10, -1)):
        with pytest.raises(BadRequest):
            await merchant.acts(seat, before, limit)
    for sql in ("update merchant.act set kind = 'x'", "delete from merchant.act"):
        with pytest.raises(Exception, match=r"append only|permission denied"):
            await TX.query(sql)
