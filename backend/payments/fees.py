"""The schedule of fees: lines of a table, the most exact one in force wins."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.db import TX
from backend.fees import fee_of
from backend.money import Fen, fen
from backend.payments import FeeRule
from backend.payments.rules import is_shop

PRODUCTS = ("dynamic", "shown", "static")

# The shop's own line before the general one, that of the product before one of any, the newest
# before the older. The line is answered under the product that was asked for.
_IN_FORCE = """
select distinct on (asked.product) f.shop_id, asked.product, f.since, f.until, f.bps, f.min_fen,
    f.max_fen
from unnest($2::text[]) as asked (product) join payments.fee f
    on f.shop_id in ($1, '') and f.product in (asked.product, '')
where f.since <= $3 and (f.until is null or f.until > $3)
order by asked.product, f.shop_id = '', f.product = '', f.since desc
"""


async def schedule(
    shop_id: str, at: datetime, products: Sequence[str] = PRODUCTS
) -> tuple[FeeRule, ...]:
    found = await TX.query(_IN_FORCE, shop_id, list(products), at)
    return tuple(msgspec.convert(dict(row), FeeRule) for row in found)


async def fee_at(payee_id: str, product: str, amount_fen: int, at: datetime) -> Fen:
    """What the payee will pay of the amount; only shops pay."""
    if not is_shop(payee_id):
        return fen(0)
    rules = await schedule(payee_id, at, (product,))
    return fee_of(amount_fen, rules[0].bps, rules[0].min_fen, rules[0].max_fen) if rules else fen(0)
