"""Shops: who may act for one, how people join, and where its money may go."""

import asyncio
from datetime import timedelta

import pytest

from backend import ids
from backend.db import SEC
from backend.errors import BadRequest, IdReused, NotFound
from backend.risk import (
    AlreadyMember,
    Approval,
    CeremonyInvalid,
    ChangeMember,
    DeviceUnknown,
    FoundShop,
    Invitation,
    InvitationInvalid,
    InviteMember,
    MemberForbidden,
    NeedsPasskey,
    PasskeyRefused,
    ShopMember,
)
from backend.shop_roles import Role
from tests.risk.people import Person, World, alarm, card_of, found_shop, hire


async def invite(world: World, shop_id: str, by: Person, role: Role = Role.CASHIER) -> Invitation:
    ask = InviteMember(ids.new("inv"), shop_id, by.person_id, by.secret, role)
    return await asked(world, by, ask)


async def asked(world: World, by: Person, ask: InviteMember) -> Invitation:
    return await world.risk.invite_member(await agreed(world, by, ask.purpose), ask)


async def join(world: World, person: Person, invitation: Invitation) -> ShopMember:
    approval = await world.approve(person, f"join_shop:{invitation.invitation_id}")
    return await world.risk.join_shop(approval, invitation.secret)


async def change(world: World, shop_id: str, member: Person, by: Person, role: Role | None) -> None:
    wanted = ChangeMember(shop_id, member.person_id, by.person_id, by.secret, role)
    await world.risk.change_member(await agreed(world, by, wanted.purpose), wanted)


async def agreed(world: World, by: Person, purpose: str) -> Approval:
    """Of nothing where there is no such purpose."""
    try:
        return await world.approve(by, purpose)
    except BadRequest:
        return Approval(by.person_id, "cer_x", b"{}")


async def roles(world: World, shop_id: str) -> list[Role]:
    return [m.role for m in await world.risk.members(shop_id)]


async def test_who_comes_first_founds_the_shop(world: World) -> None:
    owner, other = await world.person(), await world.person()
    shop_id = ids.new("mch")
    with pytest.raises(DeviceUnknown):
        await world.risk.found_shop(FoundShop(shop_id, owner.person_id, other.secret))
    for _ in range(2):
        await world.risk.found_shop(FoundShop(shop_id, owner.person_id, owner.secret))
    with pytest.raises(IdReused):
        await world.risk.found_shop(FoundShop(shop_id, other.person_id, other.secret))
    assert await world.risk.members(shop_id) == (ShopMember(shop_id, owner.person_id, Role.OWNER),)
    assert await world.risk.members(ids.new("mch")) == ()


async def test_an_invitation_is_joined_with_the_own_passkey(world: World) -> None:
    owner, clerk = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    invited = await invite(world, shop_id, owner)
    assert invited.expires_at == world.clock.now() + timedelta(hours=24)
    assert await world.risk.invitation(invited.secret) == invited
    stored = await SEC.query("select i::text as line from risk.invitation i")
    assert invited.secret not in stored[0]["line"]
    member = await join(world, clerk, invited)
    assert member == ShopMember(shop_id, clerk.person_id, Role.CASHIER)
    assert await world.risk.members(shop_id) == (
        ShopMember(shop_id, owner.person_id, Role.OWNER),
        member,
    )
    with pytest.raises(InvitationInvalid):
        await world.risk.invitation(invited.secret)
    events = await SEC.query("select kind from risk.security_event where kind like 'member%'")
    assert [row["kind"] for row in events] == ["member_invited", "member_joined"]


async def test_an_invitation_is_for_one_person(world: World) -> None:
    owner, first, second = await world.person(), await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    invited = await invite(world, shop_id, owner)
    approvals = [
        await world.approve(p, f"join_shop:{invited.invitation_id}") for p in (first, second)
    ]
    answers = await asyncio.gather(
        *(world.risk.join_shop(a, invited.secret) for a in approvals), return_exceptions=True
    )
    assert sum(isinstance(a, ShopMember) for a in answers) == 1
    assert sum(isinstance(a, InvitationInvalid) for a in answers) == 1
    assert len(await world.risk.members(shop_id)) == 2


async def test_joining_takes_an_approval_for_this_invitation(world: World) -> None:
    owner, clerk, thief = await world.person(), await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    invited, other = await invite(world, shop_id, owner), await invite(world, shop_id, owner)
    wrong = await world.approve(clerk, f"join_shop:{other.invitation_id}")
    with pytest.raises(CeremonyInvalid):
        await world.risk.join_shop(wrong, invited.secret)
    stolen = await world.approve(clerk, f"join_shop:{invited.invitation_id}", thief.key)
    with pytest.raises(PasskeyRefused):
        await world.risk.join_shop(stolen, invited.secret)
    demo = await world.demo_person()
    with pytest.raises(NeedsPasskey):
        await world.risk.begin_approval(demo.person_id, f"join_shop:{invited.invitation_id}")
    assert await roles(world, shop_id) == [Role.OWNER]


async def test_an_invitation_ends_after_a_day_and_is_renewed(world: World) -> None:
    owner, clerk = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    ask = InviteMember(ids.new("inv"), shop_id, owner.person_id, owner.secret, Role.MANAGER)
    first = await asked(world, owner, ask)
    second = await asked(world, owner, ask)
    assert first.secret != second.secret
    with pytest.raises(InvitationInvalid):
        await world.risk.invitation(first.secret)
    world.clock.move(timedelta(hours=24))
    with pytest.raises(InvitationInvalid):
        await join(world, clerk, second)
    renewed = await asked(world, owner, ask)
    await join(world, clerk, renewed)
    with pytest.raises(IdReused):  # it was used
        await asked(world, owner, ask)
    other = InviteMember(ids.new("inv"), shop_id, owner.person_id, owner.secret, Role.CASHIER)
    await asked(world, owner, other)
    changed = InviteMember(
        other.invitation_id, shop_id, owner.person_id, owner.secret, Role.MANAGER
    )
    with pytest.raises(IdReused):
        await asked(world, owner, changed)
    with pytest.raises(InvitationInvalid):
        await world.risk.invitation("x" * 43)


async def test_nobody_joins_twice(world: World) -> None:
    owner, clerk = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    await join(world, clerk, await invite(world, shop_id, owner))
    again = await invite(world, shop_id, owner, Role.MANAGER)
    for person in (clerk, owner):
        with pytest.raises(AlreadyMember):
            await join(world, person, again)
    assert await roles(world, shop_id) == [Role.OWNER, Role.CASHIER]
    other = await world.person()  # the invitation was not used up by that
    await join(world, other, again)


@pytest.mark.parametrize("role", [Role.FINANCE, Role.CASHIER, Role.AUDITOR])
async def test_staff_is_for_owner_and_manager(world: World, role: Role) -> None:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    clerk = await hire(world, shop_id, owner, role)
    with pytest.raises(MemberForbidden):
        await invite(world, shop_id, clerk)
    with pytest.raises(MemberForbidden):
        await change(world, shop_id, clerk, clerk, Role.MANAGER)
    manager = await hire(world, shop_id, owner, Role.MANAGER)
    await change(world, shop_id, clerk, manager, Role.MANAGER)
    await invite(world, shop_id, clerk)


async def test_inviting_takes_a_member_with_a_live_device(world: World) -> None:
    owner, stranger = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    with pytest.raises(MemberForbidden):
        await invite(world, shop_id, stranger)
    ask = InviteMember(ids.new("inv"), shop_id, owner.person_id, stranger.secret, Role.CASHIER)
    with pytest.raises(DeviceUnknown):
        await asked(world, owner, ask)
    with pytest.raises(BadRequest):
        await invite(world, shop_id, owner, Role.OWNER)
    await world.risk.freeze(owner.person_id, owner.secret)
    with pytest.raises(MemberForbidden):
        await invite(world, shop_id, owner)


async def test_members_change_and_go(world: World) -> None:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    clerk = await hire(world, shop_id, owner, Role.CASHIER)
    await change(world, shop_id, clerk, owner, Role.FINANCE)
    assert await roles(world, shop_id) == [Role.OWNER, Role.FINANCE]
    await change(world, shop_id, clerk, owner, None)
    assert await roles(world, shop_id) == [Role.OWNER]
    for role in (None, Role.CASHIER):
        with pytest.raises(NotFound):
            await change(world, shop_id, clerk, owner, role)
    await join(world, clerk, await invite(world, shop_id, owner))
    assert await roles(world, shop_id) == [Role.OWNER, Role.CASHIER]


async def test_the_owner_stays_the_owner(world: World) -> None:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    manager = await hire(world, shop_id, owner, Role.MANAGER)
    for by in (owner, manager):
        for role in (None, Role.CASHIER):
            with pytest.raises(MemberForbidden):
                await change(world, shop_id, owner, by, role)
    with pytest.raises(MemberForbidden):
        await change(world, shop_id, manager, owner, Role.OWNER)
    assert await roles(world, shop_id) == [Role.OWNER, Role.MANAGER]


async def test_invitations_go_with_who_invited(world: World) -> None:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    manager, other = [await hire(world, shop_id, owner, Role.MANAGER) for _ in range(2)]
    invited, kept = await invite(world, shop_id, manager), await invite(world, shop_id, other)
    await change(world, shop_id, manager, owner, Role.CASHIER)
    await change(world, shop_id, manager, owner, Role.MANAGER)
    with pytest.raises(InvitationInvalid):
        await world.risk.invitation(invited.secret)
    await world.risk.invitation(kept.secret)


async def test_the_payout_card_takes_the_owners_passkey(world: World) -> None:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    manager = await hire(world, shop_id, owner, Role.MANAGER)
    card_id = card_of(owner.person_id).card_id
    purpose = f"payout_card:{shop_id}:{card_id}"
    with pytest.raises(MemberForbidden):
        await world.risk.set_payout_card(await world.approve(manager, purpose), shop_id, card_id)
    other_card = card_of(owner.person_id, "d").card_id
    with pytest.raises(CeremonyInvalid):
        await world.risk.set_payout_card(await world.approve(owner, purpose), shop_id, other_card)
    approval = await world.approve(owner, purpose, manager.key)
    with pytest.raises(PasskeyRefused):
        await world.risk.set_payout_card(approval, shop_id, card_id)
    await world.risk.set_payout_card(await world.approve(owner, purpose), shop_id, card_id)
    [row] = await SEC.query("select payout_card_id, payout_card_at from risk.shop")
    assert tuple(row) == (card_id, world.clock.now())


@pytest.mark.parametrize(
    "purpose",
    [
        "join_shop:",
        "join_shop:inv_x",
        "payout_card:mch_x:crd_x",
        "payout_card:crd_01k0000000000000000000000c",
    ],
)
async def test_no_approval_for_half_a_purpose(world: World, purpose: str) -> None:
    person = await world.person()
    with pytest.raises(BadRequest):
        await world.risk.begin_approval(person.person_id, purpose)


@pytest.mark.parametrize("who", ["inviter", "shop", "owner"])
async def test_an_invitation_stops_with_a_freeze(world: World, who: str) -> None:
    owner, clerk = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    manager = await hire(world, shop_id, owner, Role.MANAGER)
    invited = await invite(world, shop_id, manager)
    approval = await world.approve(clerk, f"join_shop:{invited.invitation_id}")
    if who == "shop":
        await alarm(world, f"shop:{shop_id}")
    else:
        by = manager if who == "inviter" else owner
        await world.risk.freeze(by.person_id, by.secret)
    with pytest.raises(InvitationInvalid):
        await world.risk.invitation(invited.secret)
    with pytest.raises(InvitationInvalid):
        await world.risk.join_shop(approval, invited.secret)
