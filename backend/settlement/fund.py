"""The fund bill: every movement of the shop's balance on a day, from the ledger's statement."""

from collections.abc import AsyncIterator
from datetime import datetime

from backend.ledger import MAX_PAGE, Entry, Ledger
from backend.posting import kind_of
from backend.settlement.paper import Column, Form, Row, local

FORM = Form(
    name="易支付资金账单 YiPay fund bill",
    columns=(
        Column("time", "入账时间"),
        Column("entry", "流水序号"),
        Column("business_id", "业务单号"),
        Column("type", "业务类型"),
        Column("counterparty", "对方"),
        Column("in_fen", "收入"),
        Column("out_fen", "支出"),
        Column("balance_fen", "账户余额"),
    ),
    summary=(
        Column("entries", "流水笔数"),
        Column("opening_fen", "期初余额"),
        Column("in_fen", "收入总额"),
        Column("out_fen", "支出总额"),
        Column("closing_fen", "期末余额"),
    ),
)

# Who is at the other end, by the kind of account: a payer's id is no business of the shop's.
COUNTERPARTIES = {"person": "customer", "fee": "fee", "bank": "bank"}


class Fund:
    """One day of one shop. since ≤ the moment of posting < until."""

    def __init__(self, ledger: Ledger, shop_id: str, since: datetime, until: datetime) -> None:
        self._ledger, self._account = ledger, f"shop:{shop_id}"
        self._since, self._until = since, until
        self._entries = self._opening = self._in = self._out = 0

    async def rows(self) -> AsyncIterator[Row]:
        seq = await self._seq_before()
        self._opening = (await self._entry(seq)).balance_fen if seq else 0
        while page := await self._after(seq):
            for entry in page:
                if entry.posted_at >= self._until:
                    return
                yield self._row(entry)
            seq = page[-1].entry_seq

    def summary(self) -> Row:
        closing = self._opening + self._in - self._out
        return (self._entries, self._opening, self._in, self._out, closing)

    def _row(self, entry: Entry) -> Row:
        income, expense = max(entry.amount_fen, 0), max(-entry.amount_fen, 0)
        self._entries += 1
        self._in += income
        self._out += expense
        return (
            local(entry.posted_at),
            entry.entry_seq,
            entry.posting_id,
            entry.reason,
            COUNTERPARTIES.get(kind_of(entry.counterparty), "other"),
            income,
            expense,
            entry.balance_fen,
        )

    async def _seq_before(self) -> int:
        """The number of entries before the day, by halving: a long past costs twenty look-ups."""
        balances = await self._ledger.balances((self._account,))
        low, high = 0, balances[0].entry_seq if balances else 0
        while low < high:
            middle = (low + high + 1) // 2
            if (await self._entry(middle)).posted_at < self._since:
                low = middle
            else:
                high = middle - 1
        return low

    async def _entry(self, seq: int) -> Entry:
        [entry] = await self._ledger.statement(self._account, seq + 1, 1)
        return entry

    async def _after(self, seq: int) -> list[Entry]:
        """The next entries, oldest first. Their numbers have no gaps, so a page has a known end."""
        page = await self._ledger.statement(self._account, seq + MAX_PAGE + 1, MAX_PAGE)
        return [entry for entry in reversed(page) if entry.entry_seq > seq]
