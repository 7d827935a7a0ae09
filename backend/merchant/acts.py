"""What staff did, told once and never changed. Charges are told by their orders (opened_by)."""

from datetime import datetime

from backend.db import TX
from backend.errors import BadRequest
from backend.merchant import Act, Seat

MAX_PAGE = 100

# Pages have a text for each.
KINDS = frozenset(
    {
        "file_downloaded",
        "member_invited",
        "member_joined",
        "member_removed",
        "member_role_changed",
        "member_store_changed",
        "order_cancelled",
        "orders_exported",
        "payout_card_set",
        "refund_declined",
        "refund_started",
        "reversal_started",
        "shop_closed",
        "shop_founded",
        "shop_opened",
        "store_closed",
        "store_opened",
        "store_renamed",
        "store_reopened",
        "terminal_closed",
        "terminal_opened",
        "terminal_renamed",
        "terminal_reopened",
    }
)


async def tell(shop_id: str, person_id: str, kind: str, ref: str, at: datetime) -> None:
    """Inside the caller's transaction, with the change that it tells of."""
    assert kind in KINDS, kind
    await TX.query(
        "insert into merchant.act (shop_id, person_id, kind, ref, at) values ($1, $2, $3, $4, $5)",
        shop_id,
        person_id,
        kind,
        ref,
        at,
    )


async def tell_once(seat: Seat, kind: str, ref: str, once: str, at: datetime) -> None:
    """For a call that may be repeated: under the same id it is told once."""
    assert kind in KINDS, kind
    await TX.query(
        "insert into merchant.act (shop_id, person_id, kind, ref, at, once)"
        " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        seat.shop_id,
        seat.person_id,
        kind,
        ref,
        at,
        f"{seat.shop_id} {seat.person_id} {kind} {once}",
    )


async def page(shop_id: str, before: int, limit: int) -> tuple[Act, ...]:
    """Newest first. Refuses: BadRequest."""
    if not 1 <= limit <= MAX_PAGE or before < 0:
        raise BadRequest()
    found = await TX.query_as(
        Act,
        "select act_id, a.person_id, coalesce(m.name, '') as person_name, kind, ref, at"
        " from merchant.act as a"
        " left join merchant.member as m on (m.shop_id, m.person_id) = (a.shop_id, a.person_id)"
        " where a.shop_id = $1 and ($2 = 0 or act_id < $2) order by act_id desc limit $3",
        shop_id,
        before,
        limit,
    )
    return tuple(found)
