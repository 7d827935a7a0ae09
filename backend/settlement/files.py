"""Making the files of a day, keeping them, forgetting them after the years of the setting."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Protocol

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.ledger import Ledger
from backend.sales import Sales
from backend.settlement import BillFile, rules
from backend.settlement.batches import each
from backend.settlement.fund import FORM as FUND
from backend.settlement.fund import Fund
from backend.settlement.paper import PAPERS, Form, Head, Made, Row
from backend.settlement.trade import FORM as TRADE
from backend.settlement.trade import Trade

MAKING_LIFE = timedelta(minutes=10)  # then another worker may try
PAGE = 100
MAX_FORGOTTEN = 1000  # in a round
DAYS_A_YEAR = 366  # never a day too short

_SHOWN = ", ".join(BillFile.__struct_fields__)


class _Source(Protocol):
    def rows(self) -> AsyncIterator[Row]: ...

    def summary(self) -> Row: ...


class _Due(msgspec.Struct, frozen=True):
    shop_id: str
    filed_to: date


class Files:
    def __init__(self, sales: Sales, ledger: Ledger, clock: Clock, keep_years: int) -> None:
        self._sales, self._ledger, self._clock = sales, ledger, clock
        self._kept = timedelta(days=DAYS_A_YEAR * keep_years)

    async def sweep(self) -> int:
        return await self._make_all() + await self._forget()

    async def of_day(self, shop_id: str, day: date) -> tuple[BillFile, ...]:
        found = await TX.query_as(
            BillFile,
            f"select {_SHOWN} from settlement.file where shop_id = $1 and day = $2 "  # noqa: S608
            "order by kind desc, format",
            shop_id,
            day,
        )
        return tuple(found)

    async def _make_all(self) -> int:
        """One day of each shop that lacks one; a shop that lacks more comes again."""
        until, made = rules.last_filed(self._clock.now()), 0
        while due := await self._claim(until):
            made += await each(due, self._make_next)
        return made

    async def _claim(self, until: date) -> list[_Due]:
        """Shops that no worker is at. Those that fail are left alone for a while."""
        now = self._clock.now()
        return await TX.query_as(
            _Due,
            "update settlement.shop set filing_until = $2 where shop_id in ("
            "select shop_id from settlement.shop where filed_to < $1 and filing_until <= $3 "
            "order by filed_to, shop_id limit $4 for no key update skip locked) "
            "returning shop_id, filed_to",
            until,
            now + MAKING_LIFE,
            now,
            PAGE,
        )

    async def _make_next(self, due: _Due) -> int:
        day = due.filed_to + timedelta(days=1)
        made = await self._made(due.shop_id, day)
        async with TX.transaction():
            for (kind, format_), file in made.items():
                await self._keep(due.shop_id, day, (kind, format_), file)
            await TX.query(
                "update settlement.shop set filed_to = $2, filing_until = '-infinity' "
                "where shop_id = $1 and filed_to = $3",
                due.shop_id,
                day,
                due.filed_to,
            )
        return len(made)

    async def _made(self, shop_id: str, day: date) -> dict[tuple[str, str], Made]:
        head = Head(
            shop_id=shop_id,
            since=rules.start_of(day),
            until=rules.end_of(day),
            generated_at=self._clock.now(),
        )
        span = (shop_id, head.since, head.until)
        trade = await _written(Trade(self._sales, *span), TRADE, head)
        fund = await _written(Fund(self._ledger, *span), FUND, head)
        return {
            **{("trade", format_): file for format_, file in trade.items()},
            **{("fund", format_): file for format_, file in fund.items()},
        }

    async def _keep(self, shop_id: str, day: date, what: tuple[str, str], file: Made) -> None:
        # What was made once stays: a merchant may have its hash.
        await TX.query(
            "insert into settlement.file (shop_id, day, kind, format, sha256, size, rows, made_at, "
            "packed) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
            shop_id,
            day,
            *what,
            file.sha256,
            file.size,
            file.rows,
            self._clock.now(),
            file.packed,
        )

    async def _forget(self) -> int:
        rows = await TX.query(
            "delete from settlement.file where (shop_id, day, kind, format) in ("
            "select shop_id, day, kind, format from settlement.file where made_at < $1 limit $2) "
            "returning 1",
            self._clock.now() - self._kept,
            MAX_FORGOTTEN,
        )
        return len(rows)


async def _written(source: _Source, form: Form, head: Head) -> dict[str, Made]:
    """All formats in one pass: what is in memory is one page of rows and the packed files."""
    papers = {format_: paper(form, head) for format_, paper in PAPERS.items()}
    async for row in source.rows():
        for paper in papers.values():
            paper.add(row)
    return {format_: paper.end(source.summary()) for format_, paper in papers.items()}
