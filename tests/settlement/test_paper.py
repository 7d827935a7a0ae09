"""Files as text: blocks, guards, and how little is held while they are written."""

import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

import msgspec
import pytest

from backend import ids
from backend.sales import Sale, SaleFilter, Sales
from backend.settlement import rules
from backend.settlement.files import _written
from backend.settlement.paper import BOM, CsvPaper, Head, guarded, unpack
from backend.settlement.trade import FORM, Trade

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HEAD = Head(
    shop_id="mch_01k0000000000000000000000s",
    since=datetime(2026, 11, 21, 16, tzinfo=UTC),
    until=datetime(2026, 11, 22, 16, tzinfo=UTC),
    generated_at=datetime(2026, 11, 23, 1, 0, 5, tzinfo=UTC),
)


def table(content: bytes) -> tuple[str, list[list[str]]]:
    """The comment line, and all other lines as cells."""
    text = content.decode()
    assert text.startswith(BOM + "# ")
    comment, _, rest = text.removeprefix(BOM).partition("\r\n")
    return comment, list(csv.reader(io.StringIO(rest, newline="")))


def sale(n: int, **changes: object) -> Sale:
    plain = Sale(
        sale_id=f"ord_{n:026d}",
        shop_id=HEAD.shop_id,
        kind="order",
        order_id=f"ord_{n:026d}",
        payment_id=f"pay_{n:026d}",
        store_id="sto_01k0000000000000000000000s",
        terminal_id="trm_01k0000000000000000000000s",
        code="static",
        status="paid",
        payer_name="安*",
        amount_fen=1_234_56,
        fee_fen=4_69,
        note="牛肉面",
        created_at=NOON,
        ended_at=NOON + timedelta(seconds=5),
    )
    return msgspec.structs.replace(plain, **changes)


class Rows:
    """Sales as they would come from the table."""

    def __init__(self, sales: list[Sale], repeated: int = 1) -> None:
        self._sales, self._repeated = sales, repeated

    async def stream(self, wanted: SaleFilter) -> AsyncIterator[tuple[Sale, ...]]:
        for _ in range(self._repeated):
            yield tuple(s for s in self._sales if wanted.since <= s.created_at < wanted.until)


GOLDEN_SALES = [
    sale(1),
    sale(2, code="shown", amount_fen=1, fee_fen=0, note="@SUM(A1)", payer_name=""),
    sale(3, status="open", ended_at=None),
    sale(4, created_at=HEAD.since - timedelta(minutes=10), ended_at=HEAD.since),
    sale(5, created_at=HEAD.until - timedelta(minutes=1), ended_at=HEAD.until),
    sale(6, sale_id=f"rfd_{6:026d}", kind="refund", order_id=f"ord_{1:026d}", status="succeeded",
         amount_fen=100_00, fee_fen=38, note="少了一份"),
    sale(7, sale_id=f"rfd_{7:026d}", kind="refund", order_id=f"ord_{1:026d}", status="refused",
         amount_fen=1_00, fee_fen=0, note="重复"),
]  # fmt: skip

GOLDEN = """\
\ufeff# 易支付交易账单 YiPay trade bill; merchant=mch_01k0000000000000000000000s; \
period=2026-11-22T00:00:00+08:00/2026-11-23T00:00:00+08:00; zone=Asia/Shanghai; \
generated_at=2026-11-23T09:00:05+08:00
时间 time,类型 type,订单号 order_id,支付单号 payment_id,退款单号 refund_id,状态 status,\
收款方式 code,门店 store_id,终端 terminal_id,付款人 payer,订单金额 amount_fen,\
订单金额(元) amount_yuan,\
退款金额 refund_fen,退款金额(元) refund_yuan,代金券退款金额 voucher_refund_fen,\
代金券退款金额(元) voucher_refund_yuan,手续费 fee_fen,手续费(元) fee_yuan,备注 note
`2026-11-22 12:00:05,`order,`ord_00000000000000000000000001,`pay_00000000000000000000000001,`,\
`paid,`static,`sto_01k0000000000000000000000s,`trm_01k0000000000000000000000s,`安*,\
`123456,`1234.56,`0,`0.00,`0,`0.00,`469,`4.69,`牛肉面
`2026-11-22 12:00:05,`order,`ord_00000000000000000000000002,`pay_00000000000000000000000002,`,\
`paid,`shown,`sto_01k0000000000000000000000s,`trm_01k0000000000000000000000s,`,\
`1,`0.01,`0,`0.00,`0,`0.00,`0,`0.00,`'@SUM(A1)
`2026-11-22 00:00:00,`order,`ord_00000000000000000000000004,`pay_00000000000000000000000004,`,\
`paid,`static,`sto_01k0000000000000000000000s,`trm_01k0000000000000000000000s,`安*,\
`123456,`1234.56,`0,`0.00,`0,`0.00,`469,`4.69,`牛肉面
`2026-11-22 12:00:00,`refund,`ord_00000000000000000000000001,`pay_00000000000000000000000006,\
`rfd_00000000000000000000000006,`succeeded,`static,`sto_01k0000000000000000000000s,\
`trm_01k0000000000000000000000s,`安*,`0,`0.00,`10000,`100.00,`0,`0.00,`-38,`-0.38,`少了一份
`2026-11-22 12:00:00,`refund,`ord_00000000000000000000000001,`pay_00000000000000000000000007,\
`rfd_00000000000000000000000007,`refused,`static,`sto_01k0000000000000000000000s,\
`trm_01k0000000000000000000000s,`安*,`0,`0.00,`100,`1.00,`0,`0.00,`0,`0.00,`重复
订单笔数 orders,应结订单总额 payable_fen,应结订单总额(元) payable_yuan,退款总额 refund_fen,\
退款总额(元) refund_yuan,代金券退款总额 voucher_refund_fen,代金券退款总额(元) voucher_refund_yuan,\
手续费总额 fee_fen,手续费总额(元) fee_yuan,订单总额 amount_fen,订单总额(元) amount_yuan,\
申请退款总额 requested_refund_fen,申请退款总额(元) requested_refund_yuan
`3,`246913,`2469.13,`10000,`100.00,`0,`0.00,`900,`9.00,`246913,`2469.13,`10100,`101.00
"""


async def test_the_golden_file() -> None:
    trade = Trade(cast(Sales, Rows(GOLDEN_SALES)), HEAD.shop_id, HEAD.since, HEAD.until)
    made = (await _written(trade, FORM, HEAD))["csv"]
    assert unpack(made.packed).decode() == GOLDEN.replace("\n", "\r\n")
    assert made.sha256 == sha256(GOLDEN.replace("\n", "\r\n").encode()).hexdigest()
    assert made.rows == 5


async def test_ten_thousand_orders_take_little_memory() -> None:
    """Held are a page of rows and what is compressed, never the files."""
    many = [sale(n, payment_id=ids.new("pay")) for n in range(500)]

    async def peak(repeated: int) -> tuple[int, int]:
        tracemalloc.start()
        trade = Trade(cast(Sales, Rows(many, repeated)), HEAD.shop_id, HEAD.since, HEAD.until)
        made = await _written(trade, FORM, HEAD)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert made["csv"].rows == 500 * repeated
        return used, made["csv"].size + made["json"].size

    small, _ = await peak(2)
    large, size = await peak(20)
    assert size > 5_000_000
    assert large - small < size // 4


def test_a_paper_without_rows_has_its_blocks() -> None:
    made = CsvPaper(FORM, HEAD).end((0, 0, 0, 0, 0, 0, 0))
    _, lines = table(unpack(made.packed))
    assert (made.rows, len(lines)) == (0, 3)


def test_the_hour_of_files_is_shanghais() -> None:
    nine = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    assert rules.last_filed(nine).isoformat() == "2026-11-22"
    assert rules.last_filed(nine - timedelta(microseconds=1)).isoformat() == "2026-11-21"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert guarded(cell).startswith("'")


def test_other_cells_stay_as_they_are() -> None:
    for cell in ("", "面", "1=1", "a-b", " =1"):
        assert guarded(cell) == cell
