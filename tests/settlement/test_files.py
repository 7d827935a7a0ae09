"""The two files a day: what is in them, when they are made, how long kept, who may have them."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from typing import Any

import asyncpg
import msgspec
import pytest

from backend.errors import BadRequest
from backend.settlement import DOWNLOAD_LIFE, DownloadExpired, FileNotReady
from backend.settlement.service import SettlementService
from tests.settlement.conftest import Shop, Street
from tests.settlement.test_paper import table

Parsed = dict[str, Any]


async def fetched(street: Street, shop: Shop, kind: str, format_: str, ago: int = 1) -> bytes:
    """As downloaded, of the day so many days ago; the hash is the one that was promised."""
    day = street.today - timedelta(days=ago)
    given = await street.settlement.download(shop.shop_id, day, kind, format_)
    file, content = await street.settlement.content(shop.shop_id, given.token)
    assert file == given.file
    assert (file.sha256, file.size) == (sha256(content).hexdigest(), len(content))
    return content


async def parsed(street: Street, shop: Shop, kind: str) -> Parsed:
    found: Parsed = msgspec.json.decode(await fetched(street, shop, kind, "json"))
    return found


async def a_day_of_trade(street: Street) -> Shop:
    shop = await street.shop("3001")
    sale = await street.sell(shop, 100_00, 38, "=cmd|' /C calc'!A0")
    street.world.clock.move(timedelta(minutes=5))
    await street.sell(shop, 7, note='逗号,引号"与\n换行')
    street.world.clock.move(timedelta(minutes=5))
    await street.refund(shop, sale, 40_00, 15)
    return shop


async def test_files_are_made_from_nine(street: Street) -> None:
    shop = await a_day_of_trade(street)
    day = street.today
    street.at(8, 59, days=1)
    await street.settle(1)
    with pytest.raises(FileNotReady):
        await street.settlement.files(shop.shop_id, day)
    with pytest.raises(FileNotReady):
        await street.settlement.download(shop.shop_id, day, "trade", "csv")
    street.at(9)
    await street.settlement.sweep()
    files = await street.settlement.files(shop.shop_id, day)
    assert [(f.kind, f.format) for f in files] == [
        ("trade", "csv"),
        ("trade", "json"),
        ("fund", "csv"),
        ("fund", "json"),
    ]
    with pytest.raises(FileNotReady):
        await street.settlement.files(shop.shop_id, street.today)
    with pytest.raises(BadRequest):
        await street.settlement.download(shop.shop_id, day, "trade", "xlsx")
    with pytest.raises(BadRequest):
        await street.settlement.download(shop.shop_id, day, "other", "csv")


async def test_the_trade_bill_has_orders_refunds_and_their_sums(street: Street) -> None:
    shop = await a_day_of_trade(street)
    street.at(9, days=1)
    await street.settle()
    found = await parsed(street, shop, "trade")
    kinds = [(r["type"], r["amount_fen"], r["refund_fen"], r["fee_fen"]) for r in found["rows"]]
    assert kinds == [("order", 100_00, 0, 38), ("order", 7, 0, 0), ("refund", 0, 40_00, -15)]
    assert found["summary"] == {
        "orders": 2,
        "payable_fen": 100_07,
        "refund_fen": 40_00,
        "voucher_refund_fen": 0,
        "fee_fen": 23,
        "amount_fen": 100_07,
        "requested_refund_fen": 40_00,
    }
    [batch] = await street.batches(shop)
    assert batch.net_fen == 100_07 - 40_00 - 23
    header = found["header"]
    assert (header["merchant"], header["zone"]) == (shop.shop_id, "Asia/Shanghai")
    assert header["since"] == f"{batch.day}T00:00:00+08:00"
    assert header["until"] == f"{street.today}T00:00:00+08:00"


async def test_csv_is_for_spreadsheets_and_has_what_json_has(street: Street) -> None:
    shop = await a_day_of_trade(street)
    street.at(9, days=1)
    await street.settle()
    for kind in ("trade", "fund"):
        comment, lines = table(await fetched(street, shop, kind, "csv"))
        assert "zone=Asia/Shanghai" in comment
        assert "period=" in comment
        assert "generated_at=" in comment
        titles, *details, summary_titles, summary = lines
        as_json = await parsed(street, shop, kind)
        assert len(details) == len(as_json["rows"])
        rows = [*as_json["rows"], as_json["summary"]]
        for line, row in zip([*details, summary], rows, strict=True):
            assert all(cell.startswith("`") for cell in line)
            named = titles if line is not summary else summary_titles
            cells = {title.split(" ")[1]: cell[1:] for title, cell in zip(named, line, strict=True)}
            for key, value in row.items():
                assert cells[key].lstrip("'") == " ".join(str(value).split("\n")), key
                if key.endswith("_fen"):
                    yuan = cells[key.removesuffix("_fen") + "_yuan"]
                    assert round(float(yuan) * 100) == value
    _, lines = table(await fetched(street, shop, "trade", "csv"))
    assert lines[1][-1] == "`'=cmd|' /C calc'!A0"
    assert lines[2][-1] == '`逗号,引号"与 换行'


async def test_the_fund_bill_is_every_movement(street: Street) -> None:
    shop = await a_day_of_trade(street)
    street.at(12, days=1)
    await street.settle()  # the payout leaves on this day
    await street.sell(shop, 3_00)
    street.at(9, days=1)
    await street.settle()
    yesterday = await parsed(street, shop, "fund")
    before = msgspec.json.decode(await fetched(street, shop, "fund", "json", ago=2))
    assert before["summary"]["closing_fen"] == yesterday["summary"]["opening_fen"] == 59_84
    types = [(r["type"], r["counterparty"], r["in_fen"], r["out_fen"]) for r in yesterday["rows"]]
    assert types == [("payout", "bank", 0, 59_84), ("pay", "customer", 3_00, 0)]
    assert yesterday["summary"] == {
        "entries": 2,
        "opening_fen": 59_84,
        "in_fen": 3_00,
        "out_fen": 59_84,
        "closing_fen": 3_00,
    }
    balance = before["summary"]["opening_fen"]
    for n, row in enumerate(before["rows"] + yesterday["rows"], 1):
        balance += row["in_fen"] - row["out_fen"]
        assert (row["entry"], row["balance_fen"]) == (n, balance)
    entries = await street.world.books.statement(shop.account, 0, 100)
    assert len(entries) == len(before["rows"]) + len(yesterday["rows"]) + 1  # the second payout
    assert "usr_" not in str(before) + str(yesterday)  # who paid is no business of the shop's


async def test_the_boundary_of_a_day_is_exact_in_both(street: Street) -> None:
    shop = await street.shop()
    street.at(23, 59)
    street.world.clock.move(timedelta(seconds=59, milliseconds=999))
    await street.sell(shop, 1_00)
    street.world.clock.move(timedelta(milliseconds=1))
    await street.sell(shop, 20_00)
    street.at(12, days=1)
    await street.settle()
    for ago, amount in ((2, 1_00), (1, 20_00)):
        for kind, name in (("trade", "amount_fen"), ("fund", "in_fen")):
            content = msgspec.json.decode(await fetched(street, shop, kind, "json", ago))
            assert [row[name] for row in content["rows"]] == [amount]


async def test_long_statements_are_read_by_pages(street: Street) -> None:
    shop = await street.shop()
    for _ in range(130):
        await street.sell(shop, 100)
    street.at(12, days=1)
    for _ in range(110):
        await street.sell(shop, 10)
    street.at(12, days=1)
    await street.settle()
    for ago, rows, amount in ((2, 130, 100), (1, 110, 10)):
        fund = msgspec.json.decode(await fetched(street, shop, "fund", "json", ago))
        assert len(fund["rows"]) == rows == fund["summary"]["entries"]
        assert fund["summary"]["in_fen"] == rows * amount


async def test_a_file_is_made_once_and_never_changes(street: Street) -> None:
    shop = await a_day_of_trade(street)
    street.at(9, days=1)
    await asyncio.gather(*(street.settlement.sweep() for _ in range(3)))
    day = street.today - timedelta(days=1)
    first = await street.settlement.files(shop.shop_id, day)
    assert len(first) == 4
    street.at(12)
    await street.settle()
    assert await street.settlement.files(shop.shop_id, day) == first


async def test_files_of_days_that_the_worker_missed(street: Street) -> None:
    shop = await street.shop()
    await street.settle(1)
    for _ in range(4):
        await street.sell(shop, 1_00)
        street.at(12, days=1)
    await street.settle(1)
    for ago in (1, 2, 3, 4):
        files = await street.settlement.files(shop.shop_id, street.today - timedelta(days=ago))
        assert [f.rows for f in files] == [1, 1, 1, 1]


async def test_one_shop_whose_books_can_not_be_read_holds_up_no_other(street: Street) -> None:
    shop, other = await a_day_of_trade(street), await street.shop()
    street.at(9, days=1)
    street.world.ledger.down = True
    await street.settlement.sweep()
    street.world.ledger.heal()
    day = street.today - timedelta(days=1)
    with pytest.raises(FileNotReady):
        await street.settlement.files(shop.shop_id, day)
    street.world.clock.move(timedelta(minutes=11))
    await street.settlement.sweep()
    for one in (shop, other):
        assert len(await street.settlement.files(one.shop_id, day)) == 4


async def test_an_address_lives_five_minutes_and_is_of_one_shop(street: Street) -> None:
    shop, other = await a_day_of_trade(street), await street.shop()
    street.at(9, days=1)
    await street.settle(1)
    day = street.today - timedelta(days=1)
    given = await street.settlement.download(shop.shop_id, day, "trade", "csv")
    assert len(given.token) == 43
    assert given.expires_at - street.world.clock.now() == DOWNLOAD_LIFE == timedelta(minutes=5)
    for shop_id, token in ((other.shop_id, given.token), (shop.shop_id, "x" * 43)):
        with pytest.raises(DownloadExpired):
            await street.settlement.content(shop_id, token)
    with pytest.raises(DownloadExpired):
        await street.settlement.content(shop.shop_id, "x" * 1000)
    street.world.clock.move(DOWNLOAD_LIFE - timedelta(seconds=1))
    await street.settlement.content(shop.shop_id, given.token)
    street.world.clock.move(timedelta(seconds=1))
    with pytest.raises(DownloadExpired):
        await street.settlement.content(shop.shop_id, given.token)
    connection = await asyncpg.connect(street.world.settings.tx_url)
    kept = await connection.fetch("select token_hash from settlement.download")
    assert [row["token_hash"] for row in kept] == [sha256(given.token.encode()).digest()]
    await street.settlement.sweep()
    assert await connection.fetch("select 1 from settlement.download") == []
    await connection.close()


async def test_files_are_kept_for_the_years_of_the_setting(street: Street) -> None:
    shop = await a_day_of_trade(street)
    street.at(9, days=1)
    await street.settle(1)
    day = street.today - timedelta(days=1)
    assert street.world.settings.keep_years == 10
    found = street.settlement
    assert isinstance(found, SettlementService)
    patient = SettlementService(msgspec.structs.replace(found._parts, keep_years=2))
    street.world.clock.move(timedelta(days=365 * 2))
    await patient._files._forget()
    assert len(await found.files(shop.shop_id, day)) == 4
    street.world.clock.move(timedelta(days=3))
    await found._files._forget()
    assert len(await found.files(shop.shop_id, day)) == 4
    await patient._files._forget()
    with pytest.raises(FileNotReady):
        await found.files(shop.shop_id, day)
