"""What may be sent, and who may open it. Facts in, refusals out."""

import hmac
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

from backend.errors import BadRequest
from backend.ids import is_id
from backend.plain import characters, is_plain
from backend.redpacket import (
    COVERS,
    KINDS,
    MAX_GREETING,
    MAX_POINTS,
    MAX_SHARE_FEN,
    MAX_SHARES,
    MIN_SHARE_FEN,
    GreetingRefused,
    SendPacket,
    ShareTooLarge,
    ShareTooSmall,
    TooManyShares,
)
from backend.redpacket.rows import PacketRow

MIN_PASSCODE, MAX_PASSCODE = 2, 20
YEARS = range(2020, 2200)
_CHINA = timezone(timedelta(hours=8))  # no daylight saving: a year's bounds are these for ever


def check_form(send: SendPacket) -> None:
    """Refuses in this order: BadRequest, TooManyShares, ShareTooSmall, ShareTooLarge,
    GreetingRefused."""
    if not (_ids_sound(send) and _kind_sound(send)):
        raise BadRequest()
    if send.count > MAX_SHARES:
        raise TooManyShares(limit=MAX_SHARES)
    if send.total_fen < send.count * MIN_SHARE_FEN:
        raise ShareTooSmall()
    if send.total_fen > send.count * MAX_SHARE_FEN:
        raise ShareTooLarge()
    if send.kind == "equal" and send.total_fen % send.count:
        raise BadRequest()
    check_greeting(send.greeting)


def _ids_sound(send: SendPacket) -> bool:
    return (
        is_id(send.packet_id, "red")
        and is_id(send.payment_id, "pay")
        and type(send.total_fen) is int
        and type(send.count) is int
        and send.total_fen > 0
        and send.count > 0
        and send.kind in KINDS
        and send.cover in COVERS
        and (not send.to_group or is_id(send.to_group, "grp"))
        and (not send.to_person or is_id(send.to_person, "usr"))
    )


def _kind_sound(send: SendPacket) -> bool:
    if send.kind == "exclusive":
        whole = send.count == 1 and send.to_person != "" and send.to_group == ""
        return whole and send.to_person != send.sender_id and not send.passcode
    if send.kind == "passcode":
        sound = MIN_PASSCODE <= len(send.passcode) <= MAX_PASSCODE and is_plain(send.passcode)
        return sound and not send.to_person and bool(normal(send.passcode))
    return not send.to_person and not send.passcode


def check_greeting(text: str) -> None:
    """As people count characters, so an emoji of several code points is one. Refuses:
    GreetingRefused."""
    if not is_plain(text) or characters(text) > MAX_GREETING or len(text) > MAX_POINTS:
        raise GreetingRefused()


def normal(passcode: str) -> str:
    """What two people type who mean the same."""
    return " ".join(unicodedata.normalize("NFKC", passcode).casefold().split())


def passcode_hash(packet_id: str, passcode: str) -> bytes:
    """Not kept in clear; it is read out in groups, so it is no password either."""
    return sha256(f"yipay/packet-passcode/v1\n{packet_id}\n{normal(passcode)}".encode()).digest()


def passcode_fits(row: PacketRow, passcode: str) -> bool:
    return hmac.compare_digest(row.passcode_hash, passcode_hash(row.packet_id, passcode))


def day_start(now: datetime) -> datetime:
    """Midnight in China."""
    return now.astimezone(_CHINA).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def year_bounds(year: int) -> tuple[datetime, datetime]:
    """From and until, in China's time. Refuses: BadRequest."""
    if year not in YEARS:
        raise BadRequest()
    start, end = (datetime(y, 1, 1, tzinfo=_CHINA) for y in (year, year + 1))
    return start.astimezone(UTC), end.astimezone(UTC)
