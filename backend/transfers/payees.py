"""Whom one may send to, by which name, and the check of that name."""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.friends import OwnSelf
from backend.ids import is_id
from backend.risk import Phone
from backend.transfers import (
    FOUND_LIFE,
    MAX_NAME_TRIES,
    NAME_TRIES_LIFE,
    Blocked,
    NameCheckFailed,
    Payee,
    PayeeUnknown,
)
from backend.transfers.parts import Parts
from backend.transfers.request_rows import asks
from backend.transfers.rows import Pair, between


class Payees:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def payee(self, payer_id: str, to: str) -> Payee:
        payee_id = to if is_id(to, "usr") else await self._by_phone(payer_id, to)
        return await self.known(payer_id, payee_id)

    async def known(self, payer_id: str, payee_id: str) -> Payee:
        """Refuses: OwnSelf, PayeeUnknown."""
        if payee_id == payer_id:
            raise OwnSelf()
        pair = await between(payer_id, payee_id)
        is_friend = await self._parts.friends.are_friends(payer_id, payee_id)
        if not is_friend and not await self._has_met(payer_id, payee_id, pair):
            raise PayeeUnknown()
        try:
            person = await self._parts.identity.person(payee_id)
        except NotFound:
            raise PayeeUnknown() from None
        return Payee(
            payee_id=payee_id,
            name=person.display_name if is_friend else masked(person.display_name),
            is_friend=is_friend,
            first_payment=not pair.sent,
        )

    async def check_blocked(self, person_id: str, other_id: str) -> None:
        """Refuses: Blocked."""
        if await self._parts.friends.blocked_between(person_id, other_id):
            raise Blocked()

    async def check_name(self, payer_id: str, payee: Payee, said: str) -> None:
        """On a first payment to somebody who is no friend. Refuses: NameCheckFailed."""
        if payee.is_friend or not payee.first_payment:
            return
        name = (await self._parts.identity.person(payee.payee_id)).display_name
        now = self._parts.clock.now()
        if not said.strip():  # nothing typed: nothing lost
            raise NameCheckFailed(tries_left=await _tries_left(payer_id, payee.payee_id, now))
        # Taken before it is compared: of many at once no more are compared than are left.
        left = await _take_try(payer_id, payee.payee_id, now)
        if left is None:
            raise NameCheckFailed(tries_left=0)
        if said.strip().casefold() != name[:1].casefold():
            raise NameCheckFailed(tries_left=left)
        await _give_try_back(payer_id, payee.payee_id)

    async def _by_phone(self, payer_id: str, number: str) -> str:
        """Every look-up counts, whether anybody has the number or not."""
        try:
            phone = msgspec.convert(number, Phone)
        except msgspec.ValidationError:
            raise BadRequest() from None
        await self._parts.friends.count_find(payer_id)
        found = await self._parts.identity.by_phone(phone)
        if not found:
            raise PayeeUnknown()
        if found != payer_id:
            await _note_found(payer_id, found, self._parts.clock.now())
        return found

    async def _has_met(self, payer_id: str, payee_id: str, pair: Pair) -> bool:
        if pair.sent or pair.got or await asks(payee_id, payer_id):
            return True
        if await _found_lately(payer_id, payee_id, self._parts.clock.now()):
            return True
        friends = self._parts.friends
        for group in await friends.groups(payer_id):
            if await friends.is_member(payee_id, group.group_id):
                return True
        return False


def masked(name: str) -> str:
    """A name as strangers see it."""
    return f"*{name[1:]}"


async def forget_found(now: datetime) -> int:
    gone = await TX.query(
        "delete from transfers.lookup where at < $1 returning person_id", now - FOUND_LIFE
    )
    return len(gone)


async def _note_found(person_id: str, payee_id: str, now: datetime) -> None:
    await TX.query(
        "insert into transfers.lookup (person_id, payee_id, at) values ($1, $2, $3)"
        " on conflict (person_id, payee_id) do update set at = excluded.at",
        person_id,
        payee_id,
        now,
    )


async def _found_lately(person_id: str, payee_id: str, now: datetime) -> bool:
    found = await TX.query(
        "select from transfers.lookup where person_id = $1 and payee_id = $2 and at > $3",
        person_id,
        payee_id,
        now - FOUND_LIFE,
    )
    return bool(found)


async def _tries_left(payer_id: str, payee_id: str, now: datetime) -> int:
    rows = await TX.query(
        "select wrong from transfers.name_check"
        " where payer_id = $1 and payee_id = $2 and since > $3",
        payer_id,
        payee_id,
        now - NAME_TRIES_LIFE,
    )
    return MAX_NAME_TRIES - (rows[0]["wrong"] if rows else 0)


async def _take_try(payer_id: str, payee_id: str, now: datetime) -> int | None:
    """How many are left after this one; None: there was none."""
    rows = await TX.query(
        "insert into transfers.name_check as c (payer_id, payee_id, wrong, since)"
        " values ($1, $2, 1, $3) on conflict (payer_id, payee_id) do update set"
        " wrong = case when c.since > $4 then c.wrong + 1 else 1 end,"
        " since = case when c.since > $4 then c.since else $3 end"
        " where c.wrong < $5 or c.since <= $4 returning wrong",
        payer_id,
        payee_id,
        now,
        now - NAME_TRIES_LIFE,
        MAX_NAME_TRIES,
    )
    return MAX_NAME_TRIES - int(rows[0]["wrong"]) if rows else None


async def _give_try_back(payer_id: str, payee_id: str) -> None:
    await TX.query(
        "update transfers.name_check set wrong = greatest(wrong - 1, 0)"
        " where payer_id = $1 and payee_id = $2",
        payer_id,
        payee_id,
    )
