"""The demo's circle of friends: who knows whom, a group, and red packets to open and to look at."""

import asyncio
from collections.abc import Mapping

import msgspec

from backend.demo.people import CONSUMER, GUESTS, DemoPerson, fixed_id
from backend.redpacket import OpenPacket, SendPacket
from backend.services import Services

GROUP_ID = fixed_id("grp", "circle")
GROUP_NAME = "周末羽毛球"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A packet and who has opened it. to: of an exclusive one, else it is the group's."""

    name: str
    sender: DemoPerson
    kind: str
    total_fen: int
    count: int
    greeting: str
    cover: str
    to: DemoPerson | None = None
    openers: tuple[DemoPerson, ...] = ()

    @property
    def packet_id(self) -> str:
        return fixed_id("red", self.name)


PACKETS = (
    Sent(
        name="won",
        sender=GUESTS[2],
        kind="lucky",
        total_fen=20_00,
        count=4,
        greeting="今天谁手气最好？",
        cover="carp",
        openers=(CONSUMER, GUESTS[0], GUESTS[1], GUESTS[3]),
    ),
    Sent(
        name="group",
        sender=GUESTS[0],
        kind="lucky",
        total_fen=18_80,
        count=4,
        greeting="",
        cover="classic",
        openers=(GUESTS[1],),
    ),
    Sent(
        name="own",
        sender=GUESTS[3],
        kind="exclusive",
        total_fen=8_88,
        count=1,
        greeting="生日快乐，天天开心",
        cover="peony",
        to=CONSUMER,
    ),
)


class DemoCircle:
    """secrets: of each demo person's device. Again: nothing happens twice."""

    def __init__(self, to: Services, secrets: Mapping[str, str]) -> None:
        self._to, self._secrets = to, secrets

    async def gather(self) -> None:
        await self._friends()
        await self._group()
        for sent in PACKETS:
            await self._send(sent)

    async def _friends(self) -> None:
        friends = self._to.friends
        for guest in GUESTS:
            if await friends.are_friends(CONSUMER.person_id, guest.person_id):
                continue
            request_id = fixed_id("frq", guest.name)
            await friends.ask_person(request_id, guest.person_id, CONSUMER.person_id, "")
            await friends.accept(CONSUMER.person_id, guest.person_id)

    async def _group(self) -> None:
        friends = self._to.friends
        await friends.new_group(GROUP_ID, CONSUMER.person_id, GROUP_NAME)
        for guest in GUESTS:
            await friends.add_to_group(CONSUMER.person_id, GROUP_ID, guest.person_id)

    async def _send(self, sent: Sent) -> None:
        await self._to.redpackets.send(
            SendPacket(
                packet_id=sent.packet_id,
                payment_id=fixed_id("pay", f"packet/{sent.name}"),
                sender_id=sent.sender.person_id,
                kind=sent.kind,
                total_fen=sent.total_fen,
                count=sent.count,
                greeting=sent.greeting,
                cover=sent.cover,
                to_group="" if sent.to else GROUP_ID,
                to_person=sent.to.person_id if sent.to else "",
                device_secret=self._secrets[sent.sender.person_id],
            )
        )
        await asyncio.gather(*(self._open(sent, opener) for opener in sent.openers))

    async def _open(self, sent: Sent, opener: DemoPerson) -> None:
        await self._to.redpackets.open(
            OpenPacket(
                packet_id=sent.packet_id,
                person_id=opener.person_id,
                device_secret=self._secrets[opener.person_id],
            )
        )
