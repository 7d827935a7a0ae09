"""A shop's people are invited and changed by the passkey that signed exactly that."""

import pytest
from msgspec.structs import replace

from backend import ids
from backend.db import TX
from backend.merchant import Seat
from backend.risk import CeremonyInvalid, DeviceUnknown, InvitationInvalid, PasskeyRefused
from backend.shop_roles import Role
from tests.merchant.test_people import UNSIGNED, li, owner, seat
from tests.world import Wallet, World

__all__ = ["li", "owner", "seat"]  # fixtures


async def test_staff_is_changed_by_the_passkey_that_signed_exactly_that(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    """Whoever holds the device alone, or another signature, changes nothing."""
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    await world.hire(owner, li, Role.CASHIER)
    signed = await world.changing(owner, li.person_id, Role.CASHIER, store.store_id)
    for other in (
        replace(signed, role=Role.MANAGER),
        replace(signed, role=None),
        replace(signed, store_id=""),
        replace(signed, approval=UNSIGNED),
        replace(signed, approval=replace(UNSIGNED, person_id=owner.person_id)),
    ):
        with pytest.raises(CeremonyInvalid):
            await merchant.change_member(seat, other)
    stranger = await world.changing(replace(owner, passkey=li.passkey), li.person_id, Role.MANAGER)
    with pytest.raises(PasskeyRefused):
        await merchant.change_member(seat, stranger)
    with pytest.raises(DeviceUnknown):
        await merchant.change_member(seat, replace(signed, device_secret="x" * 43))
    [_, member] = await merchant.members(seat)
    assert (member.role, member.store_id) == (Role.CASHIER, "")
    await merchant.change_member(seat, signed)
    await merchant.change_member(seat, signed)  # the same call again
    away = await world.changing(owner, li.person_id, Role.FINANCE)
    await merchant.change_member(seat, away)
    with pytest.raises(CeremonyInvalid):  # what was signed before is spent
        await merchant.change_member(seat, signed)
    [_, member] = await merchant.members(seat)
    assert (member.role, member.store_id) == (Role.FINANCE, "")


async def test_an_invitation_is_of_the_role_and_store_that_the_passkey_signed(
    world: World, owner: Wallet, seat: Seat
) -> None:
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    signed = await world.inviting(owner, Role.CASHIER, store.store_id)
    for other in (
        replace(signed, role=Role.MANAGER),
        replace(signed, store_id=""),
        replace(signed, approval=UNSIGNED),
    ):
        with pytest.raises(CeremonyInvalid):
            await merchant.invite(seat, other)
    with pytest.raises(DeviceUnknown):
        await merchant.invite(seat, replace(signed, device_secret="x" * 43))
    invited = await merchant.invite(seat, signed)
    with pytest.raises(CeremonyInvalid):  # one approval, one invitation
        await merchant.invite(seat, replace(signed, invitation_id=ids.new("inv")))
    await TX.query("update merchant.invitation set store_id = ''")
    with pytest.raises(InvitationInvalid):  # not the store that was signed
        await merchant.invitation(invited.secret)


async def test_an_invitation_waits_no_longer_than_its_inviter_may_invite(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.MANAGER)
    for inviter in (owner, li):
        by = await merchant.seat(inviter.person_id)
        await merchant.invite(by, await world.inviting(inviter))
    assert len(await merchant.waiting_invitations(seat)) == 2
    changed = await world.changing(owner, li.person_id, Role.FINANCE)
    await merchant.change_member(seat, changed)
    assert len(await merchant.waiting_invitations(seat)) == 1


async def test_no_invitation_waits_for_who_joined_with_it_and_left(
    world: World, owner: Wallet, seat: Seat, li: Wallet
) -> None:
    merchant = world.services.merchant
    await world.hire(owner, li, Role.CASHIER)
    assert await merchant.waiting_invitations(seat) == ()
    await merchant.change_member(seat, await world.changing(owner, li.person_id, None))
    assert await merchant.waiting_invitations(seat) == ()
    await world.hire(owner, li, Role.CASHIER)
    assert await merchant.waiting_invitations(seat) == ()
