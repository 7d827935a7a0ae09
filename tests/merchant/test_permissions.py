"""Every role at every call of the face."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from backend import ids
from backend.errors import DomainError
from backend.merchant import (
    Change,
    Charge,
    ChargeShown,
    GiveBack,
    Invite,
    Merchant,
    PermissionMissing,
)
from backend.risk import Approval
from backend.shop_roles import ROLES, Permission, Role
from tests.world import Wallet, World

EVERYBODY = "owner manager finance cashier auditor"
NO_SECRET = "A" * 43
UNSIGNED = Approval("usr_x", "cer_x", b"{}")

# call → its arguments, and who may
CALLS: dict[str, tuple[Callable[[], tuple[Any, ...]], str]] = {
    "set_open": (lambda: (True,), "owner manager"),
    "names": (lambda: (), EVERYBODY),
    "stores": (lambda: (), EVERYBODY),
    "terminals": (lambda: (), EVERYBODY),
    "open_store": (lambda: (ids.new("sto"), "二店", ""), "owner manager"),
    "change_store": (lambda: (ids.new("sto"), "二店", False), "owner manager"),
    "open_terminal": (lambda: (ids.new("trm"), ids.new("sto"), "02"), "owner manager"),
    "change_terminal": (lambda: (ids.new("trm"), "02", False), "owner manager"),
    "charge": (lambda: (Charge(order_id=ids.new("ord"), amount_fen=1),), "owner manager cashier"),
    "charge_shown": (
        lambda: (
            ChargeShown(
                order_id=ids.new("ord"),
                payment_id=ids.new("pay"),
                amount_fen=1,
                pay_code="88" + "0" * 16,
                device_secret=NO_SECRET,
            ),
        ),
        "owner manager cashier",
    ),
    "charged": (lambda: (ids.new("ord"),), "owner manager cashier"),
    "reverse": (lambda: (ids.new("ord"), NO_SECRET), "owner manager cashier"),
    "order": (lambda: (ids.new("ord"),), EVERYBODY),
    "look": (lambda: (ids.new("ord"),), EVERYBODY),
    "refund_case": (lambda: (ids.new("ord"),), "owner manager finance"),
    "cancel": (lambda: (ids.new("ord"),), "owner manager cashier"),
    "shift": (lambda: (), "owner manager cashier"),
    "refund": (
        lambda: (
            GiveBack(
                refund_id=ids.new("rfd"),
                payment_id=ids.new("pay"),
                amount_fen=1,
                reason="x",
                device_secret=NO_SECRET,
            ),
        ),
        "owner manager finance",
    ),
    "confirm_refund": (
        lambda: (ids.new("rfd"), NO_SECRET, "none", b"{}"),
        "owner manager finance",
    ),
    "decline_refund": (lambda: (ids.new("rrq"), ""), "owner manager finance"),
    "refund_requests": (lambda: (), "owner manager finance auditor"),
    "members": (lambda: (), "owner manager"),
    "waiting_invitations": (lambda: (), "owner manager"),
    "invite": (
        lambda: (
            Invite(
                invitation_id=ids.new("inv"),
                role=Role.CASHIER,
                device_secret=NO_SECRET,
                approval=UNSIGNED,
            ),
        ),
        "owner manager",
    ),
    "begin_inviting": (lambda: (Role.CASHIER, ""), "owner manager"),
    "begin_changing": (lambda: (ids.new("usr"), None, ""), "owner manager"),
    "change_member": (
        lambda: (
            Change(member_id=ids.new("usr"), role=None, device_secret=NO_SECRET, approval=UNSIGNED),
        ),
        "owner manager",
    ),
    "acts": (lambda: (0, 10), "owner manager"),
    "record": (lambda: ("orders_exported", "file"), EVERYBODY),
}


def test_every_call_of_a_seat_is_in_the_table() -> None:
    taking_a_seat = {
        name
        for name, call in inspect.getmembers(Merchant, inspect.isfunction)
        if "seat" in inspect.signature(call).parameters
    }
    assert taking_a_seat == set(CALLS)


@pytest.fixture
async def owner(world: World) -> Wallet:
    wallet = await world.person()
    await world.shop(wallet)
    return wallet


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_what_it_may_and_nothing_else(
    world: World, owner: Wallet, role: Role
) -> None:
    merchant = world.services.merchant
    seat = msgspec.structs.replace(
        await merchant.seat(owner.person_id), role=role, permissions=ROLES[role]
    )
    for name, (arguments, allowed) in CALLS.items():
        call: Awaitable[object] = getattr(merchant, name)(seat, *arguments())
        if role in allowed.split():
            assert await _answer(call) != "permission_missing", name
        else:
            with pytest.raises(PermissionMissing) as refused:
                await call
            assert refused.value.params["role"] == role, name
            missing = Permission(str(refused.value.params["permission"]))
            assert missing not in ROLES[role], name
            assert refused.value.params["holders"] == missing, name


async def _answer(call: Awaitable[object]) -> str:
    try:
        await call
    except DomainError as refusal:
        return refusal.code
    return "done"
