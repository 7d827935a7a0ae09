"""Stores, terminals, their codes, and what is closed."""

import asyncio
import re
from datetime import datetime

import msgspec
import pytest

from backend import ids
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.merchant import (
    Charge,
    OpenShop,
    PayStatic,
    Seat,
    Shop,
    ShopClosed,
    ShopFrozen,
    Terminal,
    TooMany,
    short_codes,
)
from backend.merchant.zones import day_start
from backend.payments import OwnShop
from backend.shop_roles import Role
from tests.world import Wallet, World


@pytest.fixture
async def owner(world: World) -> Wallet:
    return await world.person(name="老王")


@pytest.fixture
async def shop(world: World, owner: Wallet) -> Shop:
    return await world.shop(owner)


@pytest.fixture
async def seat(world: World, shop: Shop) -> Seat:
    return await world.seat(shop)


def paying(code_id: str, payer: Wallet, amount_fen: int = 12_00) -> PayStatic:
    return PayStatic(
        order_id=ids.new("ord"), code_id=code_id, payer_id=payer.person_id, amount_fen=amount_fen
    )


async def test_a_new_shop_has_a_store_and_a_terminal(world: World, shop: Shop, seat: Seat) -> None:
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    [terminal] = await merchant.terminals(seat)
    assert (store.name, store.closed, terminal.store_id) == (shop.name, False, store.store_id)
    code = await merchant.static_code(terminal.code_id)
    assert code == await merchant.static_code(terminal.short_code)
    assert (code.shop_name, code.owner_id, code.open) == (shop.name, shop.owner_id, True)
    assert (code.terminal_id, code.store_id) == (terminal.terminal_id, store.store_id)
    assert not code.verified


@pytest.mark.parametrize("code", ["", "0", "12345678", "stc_00000000000000000000000000", "x" * 99])
async def test_an_unknown_code_is_not_found(world: World, code: str) -> None:
    with pytest.raises(NotFound):
        await world.services.merchant.static_code(code)


async def test_a_store_is_opened_once_with_a_terminal(world: World, seat: Seat) -> None:
    merchant, store_id = world.services.merchant, ids.new("sto")
    opening = [merchant.open_store(seat, store_id, "二店", "人民路 8 号") for _ in range(5)]
    assert len(set(await asyncio.gather(*opening))) == 1
    assert len(await merchant.stores(seat)) == 2
    assert len(await merchant.terminals(seat, store_id)) == 1
    with pytest.raises(IdReused):
        await merchant.open_store(seat, store_id, "三店", "人民路 8 号")
    with pytest.raises(BadRequest):
        await merchant.open_store(seat, ids.new("sto"), "三店", "路" * 101)
    kinds = [act.kind for act in await merchant.acts(seat, 0, 10)]
    assert kinds == ["store_opened", "shop_founded"]


async def test_a_terminal_is_opened_once(world: World, seat: Seat) -> None:
    merchant, terminal_id = world.services.merchant, ids.new("trm")
    [store] = await merchant.stores(seat)
    opening = [
        merchant.open_terminal(seat, terminal_id, store.store_id, "8 号桌") for _ in range(5)
    ]
    assert len(set(await asyncio.gather(*opening))) == 1
    assert [t.name for t in await merchant.terminals(seat)] == ["01", "8 号桌"]
    with pytest.raises(IdReused):
        await merchant.open_terminal(seat, terminal_id, store.store_id, "9 号桌")
    with pytest.raises(NotFound):
        await merchant.open_terminal(seat, ids.new("trm"), ids.new("sto"), "9 号桌")


async def test_what_is_another_shops_is_not_found(world: World, seat: Seat) -> None:
    merchant = world.services.merchant
    foreign = await world.seat(await world.shop(await world.person(), "别家"))
    [store] = await merchant.stores(seat)
    [terminal] = await merchant.terminals(seat)
    for call in (
        merchant.change_store(foreign, store.store_id, "我的", False),
        merchant.open_terminal(foreign, ids.new("trm"), store.store_id, "我的"),
        merchant.change_terminal(foreign, terminal.terminal_id, "我的", False),
        merchant.charge(
            foreign,
            Charge(order_id=ids.new("ord"), amount_fen=1, terminal_id=terminal.terminal_id),
        ),
    ):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(IdReused):
        await merchant.open_store(foreign, store.store_id, store.name, store.address)
    [theirs] = await merchant.stores(foreign)
    with pytest.raises(IdReused):
        await merchant.open_terminal(foreign, terminal.terminal_id, theirs.store_id, "01")
    assert await merchant.terminals(foreign, store.store_id) == ()


async def test_there_is_an_end_to_stores_and_terminals(
    world: World, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.merchant.stores.MAX_STORES", 3)
    monkeypatch.setattr("backend.merchant.stores.MAX_TERMINALS", 3)
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    answers = await asyncio.gather(
        *(merchant.open_store(seat, ids.new("sto"), "分店", "") for _ in range(6)),
        *(merchant.open_terminal(seat, ids.new("trm"), store.store_id, "台") for _ in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, TooMany) for answer in answers) == 4 + 4
    assert len(await merchant.stores(seat)) == 3
    assert len(await merchant.terminals(seat, store.store_id)) == 3


async def test_renaming_and_closing_is_told(world: World, seat: Seat) -> None:
    merchant = world.services.merchant
    [store], [terminal] = await merchant.stores(seat), await merchant.terminals(seat)
    await merchant.change_store(seat, store.store_id, "总店", True)
    await merchant.change_store(seat, store.store_id, "总店", False)
    await merchant.change_store(seat, store.store_id, "总店", False)  # nothing changes
    await merchant.change_terminal(seat, terminal.terminal_id, "前台", False)
    changed = await merchant.change_terminal(seat, terminal.terminal_id, "前台", True)
    assert (changed.name, changed.closed) == ("前台", True)
    await merchant.set_open(seat, False)
    await merchant.set_open(seat, False)
    kinds = [act.kind for act in reversed(await merchant.acts(seat, 0, 20))]
    assert kinds == [
        "shop_founded",
        *("store_renamed", "store_closed", "store_reopened"),
        *("terminal_renamed", "terminal_closed"),
        "shop_closed",
    ]


@pytest.mark.parametrize("what", ["shop", "store", "terminal"])
async def test_what_is_closed_takes_no_payments(
    world: World, seat: Seat, shop: Shop, what: str
) -> None:
    merchant, payer = world.services.merchant, await world.person(100_00)
    [store], [terminal] = await merchant.stores(seat), await merchant.terminals(seat)

    async def close(closed: bool) -> None:
        if what == "shop":
            await merchant.set_open(seat, not closed)
        elif what == "store":
            await merchant.change_store(seat, store.store_id, store.name, closed)
        else:
            await merchant.change_terminal(seat, terminal.terminal_id, terminal.name, closed)

    await close(True)
    charge = Charge(order_id=ids.new("ord"), amount_fen=1_00, terminal_id=terminal.terminal_id)
    for call in (
        merchant.charge(seat, charge),
        merchant.pay_static(paying(terminal.code_id, payer)),
    ):
        with pytest.raises(ShopClosed):
            await call
    assert not (await merchant.static_code(terminal.code_id)).open
    await close(False)
    assert (await merchant.charge(seat, charge)).status == "open"
    order = await merchant.pay_static(paying(terminal.code_id, payer))
    assert (order.store_id, order.terminal_id) == (store.store_id, terminal.terminal_id)
    assert (order.code, order.payer_id) == ("static", payer.person_id)


async def test_a_frozen_shop_is_opened_by_nobody_of_it(
    world: World, seat: Seat, shop: Shop
) -> None:
    merchant, payer = world.services.merchant, await world.person(100_00)
    [terminal] = await merchant.terminals(seat)
    await TX.query("update merchant.shop set status = 'frozen'")
    for is_open in (True, False):
        with pytest.raises(ShopFrozen):
            await merchant.set_open(seat, is_open)
    assert (await merchant.shop(shop.shop_id)).status == "frozen"
    with pytest.raises(ShopFrozen):
        await merchant.pay_static(paying(terminal.code_id, payer))


async def test_a_static_code_is_paid_once_per_order_and_not_by_its_owner(
    world: World, seat: Seat, owner: Wallet
) -> None:
    merchant, payer = world.services.merchant, await world.person(100_00)
    [terminal] = await merchant.terminals(seat)
    pay = paying(terminal.code_id, payer)
    orders = await asyncio.gather(*(merchant.pay_static(pay) for _ in range(5)))
    assert len(set(orders)) == 1
    with pytest.raises(IdReused):
        await merchant.pay_static(msgspec.structs.replace(pay, amount_fen=13_00))
    with pytest.raises(OwnShop):
        await merchant.pay_static(paying(terminal.code_id, owner))
    with pytest.raises(NotFound):
        await merchant.pay_static(paying(ids.new("stc"), payer))


async def test_a_cashier_of_one_store_sees_that_one(
    world: World, seat: Seat, owner: Wallet
) -> None:
    merchant, li = world.services.merchant, await world.person()
    [first] = await merchant.stores(seat)
    second = await merchant.open_store(seat, ids.new("sto"), "二店", "")
    theirs = await world.hire(owner, li, Role.CASHIER, second.store_id)
    assert await merchant.stores(theirs) == (second,)
    [terminal] = await merchant.terminals(theirs)
    assert terminal.store_id == second.store_id
    [other] = await merchant.terminals(seat, first.store_id)
    with pytest.raises(NotFound):
        await merchant.terminals(theirs, first.store_id)

    def at(found: Terminal | None) -> Charge:
        terminal_id = found.terminal_id if found else ""
        return Charge(order_id=ids.new("ord"), amount_fen=1_00, terminal_id=terminal_id)

    with pytest.raises(NotFound):
        await merchant.charge(theirs, at(other))
    assert (await merchant.charge(theirs, at(terminal))).store_id == second.store_id
    assert (await merchant.charge(theirs, at(None))).store_id == second.store_id
    assert (await merchant.charge(seat, at(None))).store_id == ""
    await merchant.change_store(seat, second.store_id, second.name, True)
    with pytest.raises(ShopClosed):
        await merchant.charge(theirs, at(None))


async def test_short_codes_never_meet(
    world: World, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten tills at once, where only twelve numbers are free to choose from."""
    numbers = iter([n % 12 for n in range(1000)])
    payloads = (f"{next(numbers):07d}" for _ in range(1000))
    monkeypatch.setattr(
        "backend.merchant.short_codes.new",
        lambda: (payload := next(payloads)) + short_codes.check_digit(payload),
    )
    merchant = world.services.merchant
    [store] = await merchant.stores(seat)
    await asyncio.gather(
        *(merchant.open_terminal(seat, ids.new("trm"), store.store_id, "台") for _ in range(10))
    )
    terminals = await merchant.terminals(seat)
    assert len({terminal.short_code for terminal in terminals}) == 11
    for terminal in terminals:
        found = await merchant.static_code(terminal.short_code)
        assert found.terminal_id == terminal.terminal_id


async def test_when_no_short_code_is_left_it_says_so(
    world: World, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    [taken] = await world.services.merchant.terminals(seat)
    monkeypatch.setattr("backend.merchant.short_codes.new", lambda: taken.short_code)
    with pytest.raises(TooMany):
        await world.services.merchant.open_terminal(seat, ids.new("trm"), taken.store_id, "台")


def test_a_short_code_notices_one_wrong_digit_and_most_swaps() -> None:
    for _ in range(200):
        code = short_codes.new()
        assert re.fullmatch(r"\d{8}", code)
        assert short_codes.is_short_code(code)
        for place, digit in enumerate(code):
            for other in set("0123456789") - {digit}:
                assert not short_codes.is_short_code(code[:place] + other + code[place + 1 :])
        for place in range(7):
            pair = code[place : place + 2]
            swapped = code[:place] + pair[::-1] + code[place + 2 :]
            if pair[0] != pair[1] and set(pair) != {"0", "9"}:
                assert not short_codes.is_short_code(swapped)


@pytest.mark.parametrize("text", ["", "1234567", "123456789", "1234567a", "１２３４５６７８"])
def test_what_is_no_short_code(text: str) -> None:
    assert not short_codes.is_short_code(text)


@pytest.mark.parametrize("zone", ["Mars/Phobos", "Asia", "America/Nowhere", "Asia/Shanghai/x"])
async def test_a_shop_is_somewhere_on_earth(world: World, owner: Wallet, zone: str) -> None:
    new = OpenShop(
        shop_id=ids.new("mch"),
        owner_id=owner.person_id,
        name="火星店",
        category="food",
        zone=zone,
    )
    with pytest.raises(BadRequest):
        await world.services.merchant.open_shop(new)
    with pytest.raises(NotFound):
        await world.services.merchant.shop(new.shop_id)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "UTC"])
async def test_the_day_of_a_shop_begins_where_it_is(world: World, owner: Wallet, zone: str) -> None:
    shop = await world.services.merchant.open_shop(
        OpenShop(
            shop_id=ids.new("mch"),
            owner_id=owner.person_id,
            name="远方小店",
            category="food",
            zone=zone,
        )
    )
    assert (shop.zone, (await world.seat(shop)).zone) == (zone, zone)
    shift = await world.services.merchant.shift(await world.seat(shop))
    assert shift.since == day_start(world.clock.now(), zone)


@pytest.mark.parametrize(
    ("zone", "now", "begin"),
    [
        ("Asia/Shanghai", "2026-11-23T15:59:59Z", "2026-11-22T16:00:00Z"),
        ("Asia/Shanghai", "2026-11-23T16:00:00Z", "2026-11-23T16:00:00Z"),
        # a day of 23 hours, and one of 25
        ("America/New_York", "2026-03-08T20:00:00Z", "2026-03-08T05:00:00Z"),
        ("America/New_York", "2026-11-01T23:00:00Z", "2026-11-01T04:00:00Z"),
        # where midnight is skipped, the day begins at one
        ("America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z"),
    ],
)
def test_days_are_right_across_changes_of_the_clock(zone: str, now: str, begin: str) -> None:
    assert day_start(datetime.fromisoformat(now), zone) == datetime.fromisoformat(begin)
