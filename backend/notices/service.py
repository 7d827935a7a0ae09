"""Notices on PostgreSQL."""

from datetime import timedelta

from backend import cursor as cursors
from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.ids import is_id
from backend.notices import AREAS, MAX_UNREAD, Notice, NoticePage, Switch
from backend.notices.facts import Reader, Row
from backend.notices.kinds import ALL, FIXED, OF_KIND
from backend.notices.parts import Parts
from backend.notices.record import PREFIX
from backend.notices.security import Security

MAX_PAGE = 100
KEPT_FOR = timedelta(days=365)
FORGET_BATCH, MAX_BATCHES = 1_000, 20

_LAST = f"{PREFIX}_~"  # above every id
_ROW = "notice_id, kind, area, ref, label, at, read_at is not null as read"


class NoticesService:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reader, self._security = Reader(parts), Security(parts)

    async def page(self, person_id: str, cursor: str, limit: int) -> NoticePage:
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest()
        before = cursors.decode(_list_of(person_id), cursor)[1] if cursor else _LAST
        rows = await TX.query_as(
            Row,
            f"select {_ROW} from notices.notice where person_id = $1 and notice_id < $2"  # noqa: S608
            " order by notice_id desc limit $3",
            person_id,
            before,
            limit + 1,
        )
        shown, more = rows[:limit], len(rows) > limit
        return NoticePage(
            notices=await self._reader.notices(person_id, shown),
            next_cursor=_next(person_id, shown[-1]) if more else "",
        )

    async def unread(self, person_id: str) -> int:
        [row] = await TX.query(
            "select count(*) as unread from (select from notices.notice"
            " where person_id = $1 and read_at is null limit $2) as few",
            person_id,
            MAX_UNREAD,
        )
        return int(row["unread"])

    async def read(self, person_id: str, up_to: str) -> None:
        if not is_id(up_to, PREFIX):
            raise BadRequest()
        await TX.query(
            "update notices.notice set read_at = $3"
            " where person_id = $1 and notice_id <= $2 and read_at is null",
            person_id,
            up_to,
            self._parts.clock.now(),
        )

    async def look(self, person_id: str, notice_id: str) -> Notice:
        row = await TX.one(
            Row,
            "update notices.notice set read_at = coalesce(read_at, $3)"  # noqa: S608
            f" where person_id = $1 and notice_id = $2 returning {_ROW}",
            person_id,
            notice_id,
            self._parts.clock.now(),
        )
        if row is None:
            raise NotFound()
        [notice] = await self._reader.notices(person_id, [row])
        return notice

    async def switches(self, person_id: str) -> tuple[Switch, ...]:
        rows = await TX.query("select kind from notices.silenced where person_id = $1", person_id)
        silenced = {row["kind"] for row in rows}
        return tuple(
            _switch(rule.kind, rule.kind not in silenced)
            for rule in sorted(ALL, key=lambda rule: AREAS.index(rule.area))
        )

    async def switch(self, person_id: str, kind: str, on: bool) -> Switch:
        rule = OF_KIND.get(kind)
        if rule is None:
            raise NotFound()
        if rule.area == FIXED and not on:
            raise BadRequest()
        if on:
            await TX.query(
                "delete from notices.silenced where person_id = $1 and kind = $2", person_id, kind
            )
        else:
            await TX.query(
                "insert into notices.silenced (person_id, kind, area) values ($1, $2, $3)"
                " on conflict do nothing",
                person_id,
                kind,
                rule.area,
            )
        return _switch(kind, on)

    async def sweep(self) -> int:
        return await self._security.learn() + await self._forget()

    async def _forget(self) -> int:
        forgotten = 0
        for _ in range(MAX_BATCHES):
            rows = await TX.query(
                "delete from notices.notice where (person_id, notice_id) in ("
                " select person_id, notice_id from notices.notice where at < $1"
                " order by at limit $2) returning notice_id",
                self._parts.clock.now() - KEPT_FOR,
                FORGET_BATCH,
            )
            forgotten += len(rows)
            if len(rows) < FORGET_BATCH:
                break
        return forgotten


def _switch(kind: str, on: bool) -> Switch:
    area = OF_KIND[kind].area
    return Switch(kind=kind, area=area, on=on, fixed=area == FIXED)


def _list_of(person_id: str) -> str:
    return f"notices\n{person_id}"


def _next(person_id: str, last: Row) -> str:
    return cursors.encode(_list_of(person_id), last.at, last.notice_id)
