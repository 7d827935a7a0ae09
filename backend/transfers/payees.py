"""Whom one may send to, by which name, and the check of that name.

A number alone does not tell whether anybody has a wallet with it: all numbers take the same steps,
leave the same rows and stand for an id of their own. The name check tells the payee from a
stranger, and nobody from a payee: a number without a wallet fails it like a wrong name.
"""

from datetime import datetime

import msgspec

from backend import ids, phones
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


class _Number(msgspec.Struct, frozen=True):
    """What a payer's number stands for. found_id: who has it, "" nobody; shown: masked."""

    found_id: str
    shown: str


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
        number = await _number(payer_id, payee_id, self._parts.clock.now())
        if number is not None:
            return Payee(
                payee_id=payee_id,
                name=number.shown,
                is_friend=False,
                first_payment=True,
                by_number=True,
            )
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
        await self._check(payer_id, payee.payee_id, payee.payee_id, said)

    async def behind(self, payer_id: str, payee: Payee, said: str) -> Payee:
        """Who has the number, for whoever knows their name. Refuses: NameCheckFailed, Blocked."""
        number = await _number(payer_id, payee.payee_id, self._parts.clock.now())
        if number is None:
            raise PayeeUnknown()
        await self._check(payer_id, payee.payee_id, number.found_id, said)
        await self.check_blocked(payer_id, number.found_id)
        person = await self._parts.identity.person(number.found_id)
        return msgspec.structs.replace(
            payee, payee_id=person.person_id, name=masked(person.display_name)
        )

    async def _check(self, payer_id: str, asked_id: str, person_id: str, said: str) -> None:
        """asked_id: whose tries are counted. person_id: whose name it is, "" nobody's."""
        now = self._parts.clock.now()
        name = await self._name(person_id)
        if not said.strip():  # nothing typed: nothing lost
            raise NameCheckFailed(tries_left=await _tries_left(payer_id, asked_id, now))
        # Taken before it is compared: of many at once no more are compared than are left.
        left = await _take_try(payer_id, asked_id, now)
        if left is None:
            raise NameCheckFailed(tries_left=0)
        if not name or said.strip().casefold() != name[:1].casefold():
            raise NameCheckFailed(tries_left=left)
        await _give_try_back(payer_id, asked_id)

    async def _name(self, person_id: str) -> str:
        try:
            return (await self._parts.identity.person(person_id)).display_name
        except NotFound:
            return ""

    async def _by_phone(self, payer_id: str, number: str) -> str:
        """Every look-up counts, whether anybody has the number or not."""
        try:
            phone = msgspec.convert(number, Phone)
        except msgspec.ValidationError:
            raise BadRequest() from None
        await self._parts.friends.count_find(payer_id)
        found = await self._parts.identity.by_phone(phone)
        if found == payer_id or await self._parts.friends.are_friends(payer_id, found):
            return found
        if (await between(payer_id, found)).sent:  # whose name was known once
            return found
        # The same id whenever this payer asks for this number: its tries are counted by it.
        number_id = ids.derived("usr", "number", payer_id, phone)
        stands_for = _Number(found, phones.masked(phone))
        await _note_number(payer_id, number_id, stands_for, self._parts.clock.now())
        return number_id

    async def _has_met(self, payer_id: str, payee_id: str, pair: Pair) -> bool:
        if pair.sent or pair.got or await asks(payee_id, payer_id):
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


async def _note_number(person_id: str, number_id: str, number: _Number, now: datetime) -> None:
    await TX.query(
        "insert into transfers.lookup (person_id, payee_id, at, found_id, shown)"
        " values ($1, $2, $3, $4, $5) on conflict (person_id, payee_id) do update"
        " set at = excluded.at, found_id = excluded.found_id",
        person_id,
        number_id,
        now,
        number.found_id,
        number.shown,
    )


async def _number(person_id: str, number_id: str, now: datetime) -> _Number | None:
    return await TX.one(
        _Number,
        "select found_id, shown from transfers.lookup"
        " where person_id = $1 and payee_id = $2 and at > $3",
        person_id,
        number_id,
        now - FOUND_LIFE,
    )


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
