"""The small world with friends, groups and packets, and a look at the books after every test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend import ids, keys
from backend.db import BOOKS, TX
from backend.ledger.audit import audit
from backend.payments import Confirm
from backend.redpacket import OpenPacket, Packet, SendPacket, Share
from backend.risk import Requirement
from backend.settings import Settings
from tests.world import Wallet, World, open_world


class Party(msgspec.Struct, kw_only=True):
    """A world whose people know each other."""

    world: World

    async def people(self, count: int, balance: int = 0) -> list[Wallet]:
        return [await self.world.person(balance, trusted=False) for _ in range(count)]

    async def befriend(self, one: Wallet, other: Wallet) -> None:
        friends = self.world.services.friends
        link = await friends.link(one.person_id)
        await friends.ask(ids.new("frq"), other.person_id, link, "")
        await friends.accept(one.person_id, other.person_id)

    async def group(self, owner: Wallet, *others: Wallet) -> str:
        friends, group_id = self.world.services.friends, ids.new("grp")
        await friends.new_group(group_id, owner.person_id, "家人")
        link = await friends.invite_link(owner.person_id, group_id)
        for other in others:
            await friends.join_group(other.person_id, link)
        return group_id

    def sending(self, sender: Wallet, **changes: Any) -> SendPacket:
        plain = SendPacket(
            packet_id=ids.new("red"),
            payment_id=ids.new("pay"),
            sender_id=sender.person_id,
            kind="lucky",
            total_fen=10_00,
            count=3,
            device_secret=sender.device_secret,
        )
        return msgspec.structs.replace(plain, **changes)

    async def send(self, sender: Wallet, **changes: Any) -> Packet:
        """Sent and paid, with a passkey where one is asked."""
        asked = self.sending(sender, **changes)
        started = await self.world.services.redpackets.send(asked)
        if started.requirement is not None:
            return await self.confirm(sender, asked.payment_id, started.requirement)
        assert started.packet.status == "open"
        return started.packet

    async def confirm(self, sender: Wallet, payment_id: str, requirement: Requirement) -> Packet:
        assert requirement.ceremony is not None
        return await self.world.services.redpackets.confirm(
            Confirm(
                payment_id=payment_id,
                payer_id=sender.person_id,
                device_secret=sender.device_secret,
                ceremony_id=requirement.ceremony.ceremony_id,
                response_json=sender.passkey.sign(requirement.ceremony.options_json),
            )
        )

    async def open(self, packet: Packet, wallet: Wallet, passcode: str = "") -> Share:
        return await self.world.services.redpackets.open(
            OpenPacket(
                packet_id=packet.packet_id,
                person_id=wallet.person_id,
                device_secret=wallet.device_secret,
                passcode=passcode,
            )
        )

    async def now(self, packet: Packet) -> Packet:
        return await self.world.services.redpackets.packet(packet.packet_id)

    async def pot(self, packet: Packet) -> int:
        """Fen in the packet's own account."""
        return await self.world.balance(f"packet:{packet.packet_id}")

    async def events(self, topic: str) -> list[str]:
        rows = await TX.query(
            "select kind from events.event where topic = $1 order by event_id", topic
        )
        return [row["kind"] for row in rows]


@pytest.fixture
async def party(databases: Settings) -> AsyncIterator[Party]:
    async with open_world(databases) as made:
        yield Party(world=made)
        await prove(databases)


async def prove(settings: Settings) -> None:
    """The books are clean, and every packet is accounted for to the fen."""
    proof = await audit(BOOKS, keys.published(Path(settings.verdict_keys)))
    assert proof.clean, proof.faults
    rows = await _packets()
    for row in rows:
        assert row["posted_fen"] + row["returned_fen"] + row["left_fen"] == row["total_fen"], row


async def _packets() -> list[dict[str, Any]]:
    """Packets beside their accounts; the two schemas have no reader in common but these."""
    packets = await TX.query(
        "select packet_id, total_fen, posted_fen, returned_fen from redpacket.packet"
        " where status not in ('created', 'refused', 'lapsed')"
    )
    accounts = {
        row["account_id"]: row["posted_fen"]
        for row in await BOOKS.query(
            "select account_id, posted_fen from ledger.account where account_id like 'packet:%'"
        )
    }
    return [dict(p) | {"left_fen": accounts[f"packet:{p['packet_id']}"]} for p in packets]
