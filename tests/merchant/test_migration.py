"""Shops that are older than stores and staff get what a new one gets."""

from importlib import import_module

import asyncpg

from backend import ids
from backend.db import TX
from backend.merchant import short_codes
from backend.shop_roles import Role
from tests.world import World

MIGRATION = import_module(
    "backend.merchant.migrations.merchant_2026_11_23t00_10_00_000050_stores_and_staff"
)


async def test_an_older_shop_has_a_store_a_terminal_and_its_owner(world: World) -> None:
    owner = await world.person(name="老王")
    shop_ids = [ids.new("mch") for _ in range(20)]
    for n, shop_id in enumerate(shop_ids):
        await TX.query(
            "insert into merchant.shop (shop_id, owner_id, name, category, zone, created_at)"
            " values ($1, $2, '老店', 'food', 'Asia/Shanghai', $3)",
            shop_id,
            ids.new("usr") if n else owner.person_id,
            world.clock.now(),
        )
    by_owner = await asyncpg.connect(world.settings.tx_owner_url)
    try:
        await by_owner.execute(MIGRATION.BACKFILL)
    finally:
        await by_owner.close()
    merchant = world.services.merchant
    seat = await merchant.seat(owner.person_id)
    assert (seat.shop_id, seat.role) == (shop_ids[0], Role.OWNER)
    [store], [terminal] = await merchant.stores(seat), await merchant.terminals(seat)
    assert (store.name, terminal.name, terminal.store_id) == ("老店", "01", store.store_id)
    assert ids.is_id(store.store_id, "sto")
    assert ids.is_id(terminal.terminal_id, "trm")
    assert ids.is_id(terminal.code_id, "stc")
    assert (await merchant.static_code(terminal.code_id)).open
    codes = {
        row["short_code"] for row in await TX.query("select short_code from merchant.terminal")
    }
    assert len(codes) == len(shop_ids)
    assert all(short_codes.is_short_code(code) for code in codes)
    [member] = await merchant.members(seat)  # the security system hears of it at the first need
    assert member.name == "老王"
    await world.hire(owner, await world.person(), Role.CASHIER)
    assert len(await merchant.members(seat)) == 2
