"""The trade bill: orders paid on a day and refunds begun on it, from the shop's sales."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from backend.payments import MAX_ORDER_LIFE
from backend.sales import Sale, SaleFilter, Sales
from backend.settlement.paper import Column, Form, Row, local

# An order of the day may have been opened before midnight; half-way payments end soon after.
OPENED_BEFORE = MAX_ORDER_LIFE + timedelta(hours=2)

FORM = Form(
    name="易支付交易账单 YiPay trade bill",
    columns=(
        Column("time", "时间"),
        Column("type", "类型"),
        Column("order_id", "订单号"),
        Column("payment_id", "支付单号"),
        Column("refund_id", "退款单号"),
        Column("status", "状态"),
        Column("code", "收款方式"),
        Column("store_id", "门店"),
        Column("terminal_id", "终端"),
        Column("payer", "付款人"),
        Column("amount_fen", "订单金额"),
        Column("refund_fen", "退款金额"),
        Column("voucher_refund_fen", "代金券退款金额"),
        Column("fee_fen", "手续费"),
        Column("note", "备注"),
    ),
    summary=(
        Column("orders", "订单笔数"),
        Column("payable_fen", "应结订单总额"),
        Column("refund_fen", "退款总额"),
        Column("voucher_refund_fen", "代金券退款总额"),
        Column("fee_fen", "手续费总额"),
        Column("amount_fen", "订单总额"),
        Column("requested_refund_fen", "申请退款总额"),
    ),
)


class Trade:
    """One day of one shop."""

    def __init__(self, sales: Sales, shop_id: str, since: datetime, until: datetime) -> None:
        self._sales, self._shop_id = sales, shop_id
        self._since, self._until = since, until
        self._orders = self._amount = self._fee = self._refund = self._requested = 0

    async def rows(self) -> AsyncIterator[Row]:
        wanted = SaleFilter(
            shop_id=self._shop_id, since=self._since - OPENED_BEFORE, until=self._until
        )
        async for sales in self._sales.stream(wanted):
            for sale in sales:
                row = self._refund_row(sale) if sale.kind == "refund" else self._order_row(sale)
                if row is not None:
                    yield row

    def summary(self) -> Row:
        """Fees: charged less returned. Refunds: those that have succeeded, and all begun."""
        return (
            self._orders,
            self._amount,
            self._refund,
            0,
            self._fee,
            self._amount,
            self._requested,
        )

    def _order_row(self, sale: Sale) -> Row | None:
        at = sale.ended_at
        if sale.status != "paid" or at is None or not self._since <= at < self._until:
            return None
        self._orders += 1
        self._amount += sale.amount_fen
        self._fee += sale.fee_fen
        return _row(sale, at, "order", (sale.amount_fen, 0, 0, sale.fee_fen))

    def _refund_row(self, sale: Sale) -> Row | None:
        if sale.created_at < self._since:
            return None
        self._requested += sale.amount_fen
        if sale.status == "succeeded":
            self._refund += sale.amount_fen
            self._fee -= sale.fee_fen
        return _row(sale, sale.created_at, "refund", (0, sale.amount_fen, 0, -sale.fee_fen))


def _row(sale: Sale, at: datetime, kind: str, amounts: tuple[int, int, int, int]) -> Row:
    return (
        local(at),
        kind,
        sale.order_id,
        sale.payment_id,
        sale.sale_id if kind == "refund" else "",
        sale.status,
        sale.code,
        sale.store_id,
        sale.terminal_id,
        sale.payer_name,
        *amounts,
        sale.note,
    )
