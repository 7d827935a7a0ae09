"""Whose names a reader sees in full: friends, and everybody of a packet that is for a group or for
one friend. Strangers who share a link see the others' first character hidden."""

from collections.abc import Sequence

import msgspec

from backend.friends import Friends
from backend.redpacket import InboxItem, Packet, Share


class Names:
    def __init__(self, friends: Friends) -> None:
        self._friends = friends

    async def of_packet(self, reader_id: str, packet: Packet) -> Packet:
        known = await self._known(reader_id, packet, [packet.sender_id])
        return _named(packet, known)

    async def of_detail(
        self, reader_id: str, packet: Packet, shares: Sequence[Share]
    ) -> tuple[Packet, tuple[Share, ...]]:
        """Who sent it sees who opened it."""
        people = [packet.sender_id, *(share.person_id for share in shares)]
        known = await self._known(reader_id, packet, people)
        if reader_id == packet.sender_id:
            known = set(people)
        seen = tuple(
            share
            if share.person_id in known
            else msgspec.structs.replace(share, name=masked(share.name))
            for share in shares
        )
        return _named(packet, known), seen

    async def of_items(self, reader_id: str, items: Sequence[InboxItem]) -> tuple[InboxItem, ...]:
        senders = {one.packet.sender_id for one in items if not _among_friends(one.packet)}
        known = await self._friends_among(reader_id, senders)
        return tuple(
            item
            if _among_friends(item.packet)
            else msgspec.structs.replace(item, packet=_named(item.packet, known))
            for item in items
        )

    async def _known(self, reader_id: str, packet: Packet, people: Sequence[str]) -> set[str]:
        everybody = set(people)
        if reader_id and _among_friends(packet):
            return everybody
        return await self._friends_among(reader_id, everybody)

    async def _friends_among(self, reader_id: str, people: set[str]) -> set[str]:
        """Oneself too."""
        others, own = people - {reader_id}, people & {reader_id}
        if not reader_id or not others:
            return own
        if len(others) == 1:
            [other] = others
            near = await self._friends.are_friends(reader_id, other)
            return own | others if near else own
        found = await self._friends.friends(reader_id)
        return own | (others & {one.person_id for one in found if one.state == "friends"})


def masked(name: str) -> str:
    """A name as strangers see it."""
    return f"*{name[1:]}"


def _among_friends(packet: Packet) -> bool:
    return bool(packet.to_group or packet.to_person)


def _named(packet: Packet, known: set[str]) -> Packet:
    if packet.sender_id in known:
        return packet
    return msgspec.structs.replace(packet, sender_name=masked(packet.sender_name))
