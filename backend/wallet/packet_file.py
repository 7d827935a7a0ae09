"""A year of red packets, received or sent, as a file for spreadsheets."""

from collections.abc import AsyncIterator
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.errors import BadRequest
from backend.redpacket import MAX_INBOX_PAGE, InboxItem, RedPackets
from backend.spreadsheet import BOM, line
from backend.texts import Catalogue

YEARLY = ("received", "sent")
ZONE = ZoneInfo("Asia/Shanghai")


def year_of(now: datetime) -> int:
    """In China."""
    return now.astimezone(ZONE).year


def name_of(box: str, year: int) -> str:
    return f"yipay-packets-{box}-{year}.csv"


async def packet_file(
    packets: RedPackets, person_id: str, box: str, year: int, words: Catalogue
) -> AsyncIterator[str]:
    """Its lines; what is wrong with the year is said before the file begins. Refuses:
    BadRequest."""
    if box not in YEARLY:
        raise BadRequest()
    await packets.inbox(person_id, box, year, "", 1)
    return _lines(packets, person_id, box, year, words)


async def _lines(
    packets: RedPackets, person_id: str, box: str, year: int, words: Catalogue
) -> AsyncIterator[str]:
    yield BOM + line(_heads(words))
    cursor = ""
    while True:
        found = await packets.inbox(person_id, box, year, cursor, MAX_INBOX_PAGE)
        yield "".join(line(_cells(item, box, words)) for item in found.items)
        cursor = found.next_cursor
        if not cursor:
            return


def _heads(words: Catalogue) -> list[str]:
    return [
        words.gettext("Time"),
        words.gettext("Kind"),
        words.gettext("Sender"),
        words.gettext("Greeting"),
        words.gettext("Amount"),
        words.gettext("Luckiest"),
        words.gettext("Opened"),
        words.gettext("How many packets"),
        words.gettext("Returned"),
        words.gettext("Status"),
        words.gettext("Packet number"),
    ]


def _cells(item: InboxItem, box: str, words: Catalogue) -> list[str]:
    packet, mine = item.packet, item.mine
    received = box == "received" and mine is not None
    at = mine.opened_at if received and mine else packet.created_at
    amount = mine.amount_fen if received and mine else packet.total_fen
    return [
        at.astimezone(ZONE).isoformat(timespec="seconds"),
        words.word("packet_kind", packet.kind),
        packet.sender_name,
        packet.greeting,
        _yuan(amount),
        words.gettext("Yes") if received and mine and mine.luckiest else "",
        str(packet.opened),
        str(packet.count),
        _yuan(packet.returned_fen),
        words.word("packet_status", packet.status),
        packet.packet_id,
    ]


def _yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
