"""Lists that people come back to, each person's own."""

from datetime import datetime

from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.sales import MAX_VIEWS, SavedView

MAX_NAME, MAX_QUERY = 32, 1000


async def views(shop_id: str, person_id: str) -> tuple[SavedView, ...]:
    found = await TX.query_as(
        SavedView,
        "select view_id, name, query from sales.view where shop_id = $1 and person_id = $2"
        " order by created_at, view_id",
        shop_id,
        person_id,
    )
    return tuple(found)


async def save(shop_id: str, person_id: str, view: SavedView, now: datetime) -> None:
    if not 1 <= len(view.name) <= MAX_NAME or len(view.query) > MAX_QUERY:
        raise BadRequest()
    async with TX.transaction():
        # Two tabs that save the last one at once: one of them is told.
        await TX.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", f"view {person_id}")
        mine = await views(shop_id, person_id)
        if len(mine) >= MAX_VIEWS and view.view_id not in {known.view_id for known in mine}:
            raise BadRequest()
        await TX.query(
            "insert into sales.view (shop_id, person_id, view_id, name, query, created_at)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (shop_id, person_id, view_id)"
            " do update set name = excluded.name, query = excluded.query",
            shop_id,
            person_id,
            view.view_id,
            view.name,
            view.query,
            now,
        )


async def forget(shop_id: str, person_id: str, view_id: str) -> None:
    gone = await TX.query(
        "delete from sales.view where shop_id = $1 and person_id = $2 and view_id = $3"
        " returning view_id",
        shop_id,
        person_id,
        view_id,
    )
    if not gone:
        raise NotFound()
