"""Opening a packet. Those who come together are decided together and posted together.

Each packet has a lane here while somebody waits: one batch is under way, whoever comes meanwhile
is in the next. Other processes have lanes of their own; the packet's row decides between them.
"""

import asyncio
from typing import TypeAlias

import msgspec

from backend.apart import apart
from backend.db import TX
from backend.errors import DomainError, Refusal, from_wire
from backend.redpacket import (
    MAX_PASSCODE_TRIES,
    MAX_SHARES,
    OpenPacket,
    PacketEmpty,
    PacketExpired,
    PacketNotForYou,
    PasscodeSpent,
    PasscodeWrong,
    SenderFrozen,
    Share,
)
from backend.redpacket.deciding import Asked, Asker, Decided, Decider
from backend.redpacket.known import Known
from backend.redpacket.parts import Parts, risk_at_hand
from backend.redpacket.posting import Poster
from backend.redpacket.rows import PacketRow, ShareRow, find_share, share_seen
from backend.redpacket.rules import passcode_fits
from backend.risk import Opener

# What the security system says of a pot, in the words of packets.
_IN_OUR_WORDS: dict[str, type[DomainError]] = {
    "payer_frozen": SenderFrozen,
    "pot_ended": PacketExpired,
    "not_for_opener": PacketNotForYou,
}

_Waiting: TypeAlias = tuple[Opener, asyncio.Future[ShareRow]]


class Opening:
    def __init__(self, parts: Parts, poster: Poster, known: Known) -> None:
        self._parts, self._poster, self._known = parts, poster, known
        self._decider = Decider(parts.identity, parts.clock)
        self._lanes: dict[str, _Lane] = {}

    async def open(self, open_: OpenPacket) -> Share:
        packet = await self._known.terms(open_.packet_id)
        if self._known.openers_of_ended(open_.packet_id) is not None:
            return share_seen(await self.after_the_end(packet, open_.person_id))
        try:
            await self._check(packet, open_)
        except DomainError:
            # Whoever has a share keeps the answer, in the group or not, in time or not.
            mine = await find_share(packet.packet_id, open_.person_id)
            if mine is None:
                raise
            return share_seen(mine)
        lane = self._lanes.get(packet.packet_id)
        if lane is None:
            lane = self._lanes[packet.packet_id] = _Lane(self, packet)
        return share_seen(await lane.join(Opener(open_.person_id, open_.device_secret)))

    def left(self, packet_id: str) -> None:
        """Nobody waits at that packet any more."""
        del self._lanes[packet_id]

    async def _check(self, packet: PacketRow, open_: OpenPacket) -> None:
        """Refuses in this order: PacketExpired, PacketNotForYou, PasscodeSpent, PasscodeWrong."""
        if self._parts.clock.now() >= packet.expires_at:
            raise PacketExpired()
        await self.check_for_them(packet, open_.person_id)
        if packet.kind == "passcode":
            await _check_passcode(packet, open_)

    async def check_for_them(self, packet: PacketRow, person_id: str) -> None:
        """Refuses: PacketNotForYou."""
        if packet.to_person and packet.to_person != person_id:
            raise PacketNotForYou()
        if packet.to_group and not await self._parts.friends.is_member(person_id, packet.to_group):
            raise PacketNotForYou()

    async def after_the_end(self, packet: PacketRow, person_id: str) -> ShareRow:
        """Of a packet that is known to have ended: who has no share is told without a question.
        Refuses: PacketEmpty, PacketExpired."""
        openers = self._known.openers_of_ended(packet.packet_id)
        if openers is None:
            openers = await self._known.learn_end(packet.packet_id)
        mine = await find_share(packet.packet_id, person_id) if person_id in openers else None
        if mine is None:
            raise PacketEmpty() if len(openers) == packet.count else PacketExpired()
        return mine

    async def serve(self, packet: PacketRow, openers: tuple[Opener, ...]) -> Decided:
        """One batch: judged, decided, posted."""
        with risk_at_hand():
            judged = await self._parts.risk.judge_openers(packet.packet_id, openers)
        askers = tuple(Asker(person_id=one.person_id, refusal=_refusal(one.code)) for one in judged)
        assert [a.person_id for a in askers] == [o.person_id for o in openers], "in their order"
        decided = await self._decider.decide(Asked(packet_id=packet.packet_id, askers=askers))
        if decided.openers is not None:
            self._known.note_end(packet.packet_id, decided.openers)
        if decided.batch is None:
            return decided
        devices = {opener.person_id: opener for opener in openers}
        takers = tuple(devices[share.person_id] for share in decided.fresh)
        # Whatever comes of it, the shares stand, and the sweeper brings them into the books.
        post = self._poster.post(decided.packet, decided.batch, decided.fresh, takers)
        posted = await apart(post, False, "shares", decided.batch.posting_id)
        return _with_status(decided, "posted") if posted else decided


class _Lane:
    """Who waits at one packet, in this process. The task that serves them ends with the last."""

    def __init__(self, opening: "Opening", packet: PacketRow) -> None:
        self._opening, self._packet = opening, packet
        self._waiting: list[_Waiting] = []
        self.task = asyncio.create_task(self._run())

    async def join(self, opener: Opener) -> ShareRow:
        answer: asyncio.Future[ShareRow] = asyncio.get_running_loop().create_future()
        self._waiting.append((opener, answer))
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._batch()
        finally:
            self._opening.left(self._packet.packet_id)
            for _, answer in self._waiting:  # we are being stopped
                answer.cancel()

    async def _batch(self) -> None:
        """The first ones of different people; a second call of one person waits for the first."""
        taken: dict[str, _Waiting] = {}
        rest: list[_Waiting] = []
        for item in self._waiting:
            if len(taken) == MAX_SHARES or item[0].person_id in taken:
                rest.append(item)
            else:
                taken[item[0].person_id] = item
        self._waiting = rest
        try:
            openers = tuple(opener for opener, _ in taken.values())
            decided = await self._opening.serve(self._packet, openers)
        except Exception as error:
            for _, answer in taken.values():
                _fail(answer, error)
            return
        for person_id, (_, answer) in taken.items():
            _answer(answer, decided, person_id)
        if decided.ended:
            await self._send_home()

    async def _send_home(self) -> None:
        """Nothing is left: to hear that, nobody needs to be judged, or looked up."""
        while self._waiting:
            opener, answer = self._waiting.pop(0)
            try:
                mine = await self._opening.after_the_end(self._packet, opener.person_id)
            except Exception as error:
                _fail(answer, error)
            else:
                if not answer.done():
                    answer.set_result(mine)


def _answer(answer: asyncio.Future[ShareRow], decided: Decided, person_id: str) -> None:
    if answer.done():
        return  # whoever asked has gone
    share = decided.shares.get(person_id)
    if share is None:
        answer.set_exception(decided.refused[person_id])
    else:
        answer.set_result(share)


def _fail(answer: asyncio.Future[ShareRow], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _refusal(code: str) -> DomainError | None:
    if not code:
        return None
    kind = _IN_OUR_WORDS.get(code)
    return kind() if kind is not None else from_wire(Refusal(code, {}))


def _with_status(decided: Decided, status: str) -> Decided:
    changed = {s.person_id: msgspec.structs.replace(s, status=status) for s in decided.fresh}
    return msgspec.structs.replace(decided, shares=decided.shares | changed)


async def _check_passcode(packet: PacketRow, open_: OpenPacket) -> None:
    """Five wrong tries per person. A try is taken before it is compared, so that of many at once no
    more are compared than are left, and given back where it was right. Refuses: PasscodeSpent,
    PasscodeWrong."""
    taken = await TX.query(
        "insert into redpacket.tries as t (packet_id, person_id, wrong) values ($1, $2, 1)"
        " on conflict (packet_id, person_id) do update set wrong = t.wrong + 1"
        " where t.wrong < $3 returning wrong",
        packet.packet_id,
        open_.person_id,
        MAX_PASSCODE_TRIES,
    )
    if not taken:
        raise PasscodeSpent()
    if passcode_fits(packet, open_.passcode):
        await TX.query(
            "update redpacket.tries set wrong = wrong - 1 where packet_id = $1 and person_id = $2",
            packet.packet_id,
            open_.person_id,
        )
        return
    left = MAX_PASSCODE_TRIES - taken[0]["wrong"]
    if left == 0:
        raise PasscodeSpent()
    raise PasscodeWrong(tries_left=left)


async def tries_spent(packet_id: str, person_id: str) -> bool:
    """Whether no passcode of theirs is compared any more."""
    found = await TX.query(
        "select 1 from redpacket.tries where packet_id = $1 and person_id = $2 and wrong >= $3",
        packet_id,
        person_id,
        MAX_PASSCODE_TRIES,
    )
    return bool(found)
