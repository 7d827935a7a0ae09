"""Rows of requests and their shares."""

from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.transfers import NewRequest, Request, RequestShare

MAX_LISTED = 100
MAX_SWEPT = 200


class ShareRow(msgspec.Struct, frozen=True, kw_only=True):
    """order_id: the order that tries to pay it go through; orders: how many there were."""

    request_id: str
    person_id: str
    amount_fen: int
    status: str
    transfer_id: str
    order_id: str
    orders: int
    at: datetime | None


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    request_id: str
    person_id: str
    note: str
    group_id: str
    status: str
    created_at: datetime
    expires_at: datetime
    reminded_at: datetime | None

    def shown(self, shares: list[ShareRow], names: dict[str, str], now: datetime) -> Request:
        """Expired at its moment, not when the sweep comes by. names: as the reader may see them."""
        late = self.status == "open" and self.expires_at <= now
        return Request(
            request_id=self.request_id,
            person_id=self.person_id,
            name=names[self.person_id],
            note=self.note,
            group_id=self.group_id,
            status="expired" if late else self.status,
            shares=tuple(
                RequestShare(
                    person_id=share.person_id,
                    name=names[share.person_id],
                    amount_fen=share.amount_fen,
                    status=share.status,
                    transfer_id=share.transfer_id,
                    at=share.at,
                )
                for share in shares
            ),
            created_at=self.created_at,
            expires_at=self.expires_at,
            reminded_at=self.reminded_at,
        )


_REQUEST = ", ".join(RequestRow.__struct_fields__)
_SHARE = ", ".join(ShareRow.__struct_fields__)


async def insert(new: NewRequest, now: datetime, expires_at: datetime) -> bool:
    """Whether it is new. Inside a transaction."""
    made = await TX.query(
        "insert into transfers.request (request_id, person_id, note, group_id, created_at,"
        " expires_at) values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning request_id",
        new.request_id,
        new.person_id,
        new.note,
        new.group_id,
        now,
        expires_at,
    )
    if not made:
        return False
    await TX.query(
        "insert into transfers.share (request_id, person_id, place, amount_fen)"
        " select $1, person_id, place, amount_fen"
        " from unnest($2::text[], $3::bigint[]) with ordinality as s(person_id, amount_fen, place)",
        new.request_id,
        [person_id for person_id, _ in new.shares],
        [amount_fen for _, amount_fen in new.shares],
    )
    return True


async def lock_asker(person_id: str) -> None:
    """Until the end of the transaction: one asks after the other, so that all are counted."""
    await TX.query("select pg_advisory_xact_lock(hashtextextended('request ' || $1, 0))", person_id)


async def made_since(person_id: str, since: datetime) -> int:
    [row] = await TX.query(
        "select count(*) as n from transfers.request where person_id = $1 and created_at > $2",
        person_id,
        since,
    )
    return int(row["n"])


async def find(request_id: str) -> RequestRow | None:
    return await TX.one(
        RequestRow,
        f"select {_REQUEST} from transfers.request where request_id = $1",  # noqa: S608
        request_id,
    )


async def lock(request_id: str) -> RequestRow | None:
    """Inside a transaction: everything that changes a request or its shares meets here."""
    return await TX.one(
        RequestRow,
        f"select {_REQUEST} from transfers.request where request_id = $1"  # noqa: S608
        " for no key update",
        request_id,
    )


async def shares(request_ids: list[str]) -> dict[str, list[ShareRow]]:
    """By request, in the order they were asked in."""
    found: dict[str, list[ShareRow]] = {request_id: [] for request_id in request_ids}
    rows = await TX.query_as(
        ShareRow,
        f"select {_SHARE} from transfers.share where request_id = any($1)"  # noqa: S608
        " order by request_id, place",
        request_ids,
    )
    for row in rows:
        found[row.request_id].append(row)
    return found


async def share(request_id: str, person_id: str) -> ShareRow | None:
    return await TX.one(
        ShareRow,
        f"select {_SHARE} from transfers.share where request_id = $1 and person_id = $2",  # noqa: S608
        request_id,
        person_id,
    )


async def of_person(person_id: str) -> list[RequestRow]:
    """Asked by and of; open ones first, newest first."""
    return await TX.query_as(
        RequestRow,
        f"select {_REQUEST} from transfers.request where request_id in ("  # noqa: S608
        " select request_id from transfers.request where person_id = $1"
        " union select request_id from transfers.share where person_id = $1)"
        " order by status = 'open' desc, created_at desc, request_id desc limit $2",
        person_id,
        MAX_LISTED,
    )


async def asks(asker_id: str, person_id: str) -> bool:
    """Whether one has an open request to the other."""
    found = await TX.query(
        "select from transfers.share s join transfers.request r using (request_id)"
        " where s.person_id = $2 and r.person_id = $1 and r.status = 'open' and s.status = 'open'",
        asker_id,
        person_id,
    )
    return bool(found)


async def give_order(row: ShareRow, order_id: str) -> bool:
    """The share's next order; False if it has got another one meanwhile, or has ended."""
    moved = await TX.query(
        "update transfers.share set order_id = $4, orders = orders + 1 where request_id = $1"
        " and person_id = $2 and order_id = $3 and status = 'open' returning person_id",
        row.request_id,
        row.person_id,
        row.order_id,
        order_id,
    )
    return bool(moved)


async def end_share(row: ShareRow, to: str, at: datetime, transfer_id: str = "") -> bool:
    """open → paid or declined; False if it was not open, or its order is another one by now."""
    assert to in ("paid", "declined")
    moved = await TX.query(
        "update transfers.share set status = $4, at = $5, transfer_id = $6 where request_id = $1"
        " and person_id = $2 and order_id = $3 and status = 'open' returning person_id",
        row.request_id,
        row.person_id,
        row.order_id,
        to,
        at,
        transfer_id,
    )
    return bool(moved)


async def end(request_id: str, to: str, at: datetime) -> bool:
    """open → done, withdrawn or expired."""
    assert to in ("done", "withdrawn", "expired")
    moved = await TX.query(
        "update transfers.request set status = $2, ended_at = $3"
        " where request_id = $1 and status = 'open' returning request_id",
        request_id,
        to,
        at,
    )
    return bool(moved)


async def remind(request_id: str, now: datetime, pause: timedelta) -> bool:
    """False if it was done within the pause."""
    moved = await TX.query(
        "update transfers.request set reminded_at = $2 where request_id = $1 and status = 'open'"
        " and (reminded_at is null or reminded_at <= $3) returning request_id",
        request_id,
        now,
        now - pause,
    )
    return bool(moved)


async def due(now: datetime) -> list[str]:
    rows = await TX.query(
        "select request_id from transfers.request where status = 'open' and expires_at <= $1"
        " order by expires_at limit $2",
        now,
        MAX_SWEPT,
    )
    return [row["request_id"] for row in rows]
