"""Requests for money: asking, declining, withdrawing, reminding, expiring."""

from datetime import timedelta

from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import OwnSelf
from backend.ids import is_id
from backend.money import MAX_AMOUNT_FEN
from backend.payments import OrderCancelled, OrderExpired, OrderPaid
from backend.plain import is_plain
from backend.transfers import (
    MAX_REQUESTS,
    MAX_SPLIT,
    REMIND_AFTER,
    REQUEST_LIFE,
    NewRequest,
    PayeeUnknown,
    RemindedLately,
    Request,
    RequestEnded,
    Somebody,
    TooManyRequests,
)
from backend.transfers import request_rows as store
from backend.transfers.parts import Parts
from backend.transfers.payees import Payees, masked
from backend.transfers.paying_shares import ended, tell
from backend.transfers.request_rows import RequestRow, ShareRow
from backend.transfers.sending import MAX_NOTE

A_DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Requests:
    def __init__(self, parts: Parts, payees: Payees) -> None:
        self._parts, self._payees = parts, payees

    async def request(self, new: NewRequest) -> Request:
        _check_form(new)
        if await store.find(new.request_id) is None:
            await self._check_people(new)
            await self._store(new)
        row = await store.find(new.request_id)
        assert row is not None, "it was stored above or before"
        shares = (await store.shares([row.request_id]))[row.request_id]
        if not _same(row, shares, new):
            raise IdReused()
        return await self._shown(row, new.person_id)

    async def askable(self, person_id: str, group_id: str) -> tuple[Somebody, ...]:
        friends = self._parts.friends
        if group_id:
            members = await friends.members(person_id, group_id)
            found = [(one.person_id, one.name) for one in members if one.person_id != person_id]
        else:
            everybody = await friends.friends(person_id)
            found = [
                (one.person_id, one.remark or one.name)
                for one in everybody
                if one.state == "friends"
            ]
        return tuple(Somebody(person_id=one, name=name) for one, name in found)

    async def requests(self, person_id: str) -> tuple[Request, ...]:
        rows = await store.of_person(person_id)
        shares = await store.shares([row.request_id for row in rows])
        names = await self._names(person_id, rows, shares)
        now = self._parts.clock.now()
        return tuple(row.shown(shares[row.request_id], names, now) for row in rows)

    async def find(self, person_id: str, request_id: str) -> Request:
        return await self._shown(await self._readable(person_id, request_id), person_id)

    async def decline(self, person_id: str, request_id: str) -> Request:
        row, share = await store.find(request_id), await store.share(request_id, person_id)
        if row is None or share is None:
            raise NotFound()
        if share.status == "declined":
            return await self._shown(row, person_id)
        if share.status == "paid" or self._over(row):
            raise RequestEnded()
        # What is being paid can't be declined; once its order is dead, nobody can pay it by that.
        await self._cancel_order(row, share)
        now = self._parts.clock.now()
        async with TX.transaction():
            locked = await store.lock(request_id)
            if locked is None or locked.status != "open":
                raise RequestEnded()
            if not await store.end_share(share, "declined", now):
                raise RequestEnded()
            await ended(self._parts, request_id, now, "request_declined")
        return await self.find(person_id, request_id)

    async def withdraw(self, person_id: str, request_id: str) -> Request:
        row = await self._own(person_id, request_id)
        if row.status != "withdrawn":
            if self._over(row):
                raise RequestEnded()
            await self._end(request_id, "withdrawn")
        return await self.find(person_id, request_id)

    async def remind(self, person_id: str, request_id: str) -> Request:
        row = await self._own(person_id, request_id)
        if self._over(row):
            raise RequestEnded()
        now = self._parts.clock.now()
        async with TX.transaction():
            done = await store.remind(request_id, now, REMIND_AFTER)
            if done:
                shares = (await store.shares([request_id]))[request_id]
                waiting = [share for share in shares if share.status == "open"]
                await tell(self._parts, request_id, waiting, "request_reminded")
        if not done:
            last = row.reminded_at or now
            left = max(last + REMIND_AFTER - now, timedelta(0))
            raise RemindedLately(hours=max(-(-left // HOUR), 1))
        return await self.find(person_id, request_id)

    async def expire_due(self) -> int:
        found = await store.due(self._parts.clock.now())
        for request_id in found:
            await self._end(request_id, "expired")
        return len(found)

    async def _end(self, request_id: str, to: str) -> None:
        now = self._parts.clock.now()
        async with TX.transaction():
            await store.lock(request_id)
            if not await store.end(request_id, to, now):
                return
            shares = (await store.shares([request_id]))[request_id]
            await tell(self._parts, request_id, shares, f"request_{to}")

    async def _check_people(self, new: NewRequest) -> None:
        """Refuses: PayeeUnknown, Blocked."""
        friends, members = self._parts.friends, set[str]()
        if new.group_id:
            try:
                found = await friends.members(new.person_id, new.group_id)
            except NotFound:
                raise PayeeUnknown() from None
            members = {member.person_id for member in found}
        for person_id, _ in new.shares:
            if person_id not in members and not await friends.are_friends(new.person_id, person_id):
                raise PayeeUnknown()
            await self._payees.check_blocked(new.person_id, person_id)

    async def _store(self, new: NewRequest) -> None:
        """Refuses: TooManyRequests."""
        now = self._parts.clock.now()
        async with TX.transaction():
            await store.lock_asker(new.person_id)
            if await store.find(new.request_id) is not None:
                return
            if await store.made_since(new.person_id, now - A_DAY) >= MAX_REQUESTS:
                raise TooManyRequests(limit=MAX_REQUESTS)
            if await store.insert(new, now, now + REQUEST_LIFE):
                shares = (await store.shares([new.request_id]))[new.request_id]
                await tell(self._parts, new.request_id, shares, "request_asked")

    async def _cancel_order(self, row: RequestRow, share: ShareRow) -> None:
        """Refuses: OrderBusy, RequestEnded."""
        if not share.order_id:
            return
        try:
            await self._parts.payments.cancel_order(row.person_id, share.order_id)
        except OrderPaid:
            raise RequestEnded() from None
        except (NotFound, OrderCancelled, OrderExpired):
            return

    async def _readable(self, person_id: str, request_id: str) -> RequestRow:
        """Refuses: NotFound."""
        row = await store.find(request_id)
        if row is None:
            raise NotFound()
        if row.person_id == person_id or await store.share(request_id, person_id):
            return row
        friends = self._parts.friends
        if row.group_id and await friends.is_member(person_id, row.group_id):
            return row
        raise NotFound()

    async def _own(self, person_id: str, request_id: str) -> RequestRow:
        row = await store.find(request_id)
        if row is None or row.person_id != person_id:
            raise NotFound()
        return row

    def _over(self, row: RequestRow) -> bool:
        return row.status != "open" or row.expires_at <= self._parts.clock.now()

    async def _shown(self, row: RequestRow, reader_id: str) -> Request:
        shares = await store.shares([row.request_id])
        names = await self._names(reader_id, [row], shares)
        return row.shown(shares[row.request_id], names, self._parts.clock.now())

    async def _names(
        self, reader_id: str, rows: list[RequestRow], shares: dict[str, list[ShareRow]]
    ) -> dict[str, str]:
        """The reader's own and those of friends by remark or in full, those of others masked; but
        people of one group know each other."""
        groups = {row.request_id for row in rows if row.group_id}
        people = {row.person_id: row.person_id for row in rows}
        in_group = {row.person_id for row in rows if row.group_id}
        for request_id, found in shares.items():
            people |= {share.person_id: share.person_id for share in found}
            if request_id in groups:
                in_group |= {share.person_id for share in found}
        names = await self._parts.identity.names(tuple(people))
        friends = {
            friend.person_id: friend.remark or friend.name
            for friend in await self._parts.friends.friends(reader_id)
            if friend.state == "friends"
        }
        seen = {reader_id, *in_group}
        return {
            person_id: friends.get(person_id)
            or (names.get(person_id, "") if person_id in seen else masked(names.get(person_id, "")))
            for person_id in people
        }


def _check_form(new: NewRequest) -> None:
    """Refuses: BadRequest, OwnSelf."""
    people = [person_id for person_id, _ in new.shares]
    sound = (
        is_id(new.request_id, "req")
        and (not new.group_id or is_id(new.group_id, "grp"))
        and len(new.note) <= MAX_NOTE
        and is_plain(new.note)
        and 0 < len(people) <= MAX_SPLIT
        and len(set(people)) == len(people)
        and all(is_id(person_id, "usr") for person_id in people)
        and all(
            type(amount_fen) is int and 0 < amount_fen <= MAX_AMOUNT_FEN
            for _, amount_fen in new.shares
        )
    )
    if not sound:
        raise BadRequest()
    if new.person_id in people:
        raise OwnSelf()


def _same(row: RequestRow, shares: list[ShareRow], new: NewRequest) -> bool:
    return (row.person_id, row.note, row.group_id) == (
        new.person_id,
        new.note,
        new.group_id,
    ) and tuple((share.person_id, share.amount_fen) for share in shares) == new.shares
