"""Red packets. Each has a ledger account of its own ("packet:<packet_id>", floor 0): the database
itself refuses to hand out more than was put in.

Sending is paying an order whose payee is the packet. Opening decides the amount: openings that
arrive together are decided in one transaction and posted in one posting, whose id is kept with
each share; so an answer that was lost is the same when asked again.
"""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.payments import Confirm
from backend.redpacket.formula import FORMULA as FORMULA
from backend.risk import Requirement

MIN_SHARE_FEN, MAX_SHARE_FEN = 1, 200_00
MAX_SHARES = 100
MAX_GREETING = 25  # characters as people count them
MAX_POINTS = 4 * MAX_GREETING  # code points: an emoji may have several
GREETING = "恭喜发财，大吉大利"
PACKET_LIFE = timedelta(hours=24)
SOON = timedelta(hours=3)  # before the end: "expiring soon"
MAX_PASSCODE_TRIES = 5
MAX_SENT_DAY_FEN = 5_000_00  # per person; the security system has the last word
MAX_OPENED_DAY = 200

KINDS = ("equal", "lucky", "exclusive", "passcode")
OWN_WORK = "own"  # drawn for this wallet, and free to be used with its packets
INBOX_PAGE, MAX_INBOX_PAGE = 30, 100
Greeting = Annotated[str, msgspec.Meta(max_length=MAX_POINTS)]
Passcode = Annotated[str, msgspec.Meta(min_length=2, max_length=20)]


class Cover(msgspec.Struct, frozen=True):
    """licence: by what right it is shown. Name and licence have words in both languages."""

    name: str
    licence: str


CATALOGUE = tuple(
    Cover(name, OWN_WORK) for name in ("classic", "lantern", "peony", "carp", "snow", "moon")
)
COVERS = tuple(cover.name for cover in CATALOGUE)


class SendPacket(msgspec.Struct, frozen=True, kw_only=True):
    """total_fen is what the sender pays. to_group: only its members may open; to_person: of an
    exclusive one. Neither: whoever has the link. passcode: of a passcode one (a lucky one inside).
    greeting "" = the default."""

    packet_id: Id  # prefix "red"
    payment_id: Id
    sender_id: Id
    kind: str
    total_fen: Amount
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_SHARES)]
    greeting: Greeting = ""
    cover: str = "classic"
    to_group: str = ""
    to_person: str = ""
    passcode: str = ""
    device_secret: str = ""
    address: str = ""


class PayPacket(msgspec.Struct, frozen=True, kw_only=True):
    """Pay what `send` has stored, by the device that pays now."""

    packet_id: Id
    sender_id: Id
    device_secret: str
    address: str = ""


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (not paid), "open", "empty", "expired" (its rest goes back), "returned",
    "refused", "lapsed". seed: hex, once it has ended; seed_hash: from the beginning."""

    packet_id: str
    payment_id: str
    sender_id: str
    sender_name: str
    kind: str
    total_fen: int
    count: int
    greeting: str
    cover: str
    to_group: str
    to_person: str
    status: str
    refusal_code: str
    opened: int
    opened_fen: int
    returned_fen: int
    seed_hash: str
    seed: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class PacketStarted(msgspec.Struct, frozen=True, kw_only=True):
    packet: Packet
    requirement: Requirement | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """position: 0, 1, 2 … in the order of opening. status: "decided" (the amount stands; the books
    follow within seconds), "posted", "void" (refused until the packet's end, as of somebody frozen:
    its money went back to the sender). luckiest: known once the packet has ended."""

    packet_id: str
    position: int
    person_id: str
    name: str
    amount_fen: int
    status: str
    opened_at: datetime
    luckiest: bool
    thanks: str


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """Grabbing: shows whether something is left and reserves nothing. state: "open", "mine"
    (opened already), "empty", "expired", "not_for_you", "sender_frozen", "passcode" (one is asked),
    "spent" (no more tries). listed: who got what is theirs to read."""

    packet: Packet
    state: str
    mine: Share | None
    listed: bool


class OpenPacket(msgspec.Struct, frozen=True, kw_only=True):
    packet_id: Id
    person_id: Id
    device_secret: str
    passcode: str = ""


class PacketDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Names of strangers are masked, but for the sender. seconds: from when the money was in to the
    last opening, once empty."""

    packet: Packet
    shares: tuple[Share, ...]
    mine: Share | None
    seconds: int | None


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody needs to recompute a packet's shares: public once it has ended. amounts: of the
    shares that were opened, in that order."""

    packet_id: str
    kind: str
    total_fen: int
    count: int
    seed_hash: str
    seed: str  # "" until it has ended
    amounts: tuple[int, ...]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """seed_fits: the seed is the one that was committed to. shares: as they must be, all of them;
    wrong: positions whose amount is another."""

    proof: Proof
    seed_fits: bool
    shares: tuple[int, ...]
    wrong: tuple[int, ...]

    @property
    def fair(self) -> bool:
        return self.seed_fits and not self.wrong


class InboxItem(msgspec.Struct, frozen=True, kw_only=True):
    """A packet that waits for the person, or that they opened or sent. unread: not looked at."""

    packet: Packet
    unread: bool
    mine: Share | None
    soon: bool


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[InboxItem, ...]
    next_cursor: str


class YearSum(msgspec.Struct, frozen=True, kw_only=True):
    year: int
    sum_fen: int
    count: int
    luckiest: int


class RedPackets(Protocol):
    async def send(self, send: SendPacket) -> PacketStarted:
        """Refuses: BadRequest, IdReused, ShareTooSmall, ShareTooLarge, TooManyShares (limit),
        GreetingRefused, NotFound (group or friend), PacketLimit (left_fen), as payments.start."""
        ...

    async def pay(self, pay: PayPacket) -> PacketStarted:
        """One that is sent already, once more: a fresh ceremony where it takes one. Refuses:
        NotFound, PacketLimit, as payments.start."""
        ...

    async def confirm(self, confirm: Confirm) -> Packet:
        """Refuses: as payments.confirm."""
        ...

    async def sent(self, sender_id: str, packet_id: str) -> Packet:
        """As its sender sees it, also while it is not paid, or refused. Refuses: NotFound."""
        ...

    async def packet(self, packet_id: str) -> Packet:
        """As anybody with its link may see it. Refuses: NotFound."""
        ...

    async def grab(self, person_id: str, packet_id: str) -> Glance:
        """The cheap path: it judges nobody and takes no lock. Refuses: NotFound."""
        ...

    async def open(self, open_: OpenPacket) -> Share:
        """Once per person; the same answer ever after. Refuses: NotFound, PacketEmpty,
        PacketExpired, PacketNotForYou, PasscodeWrong (tries_left), PasscodeSpent, SenderFrozen,
        what the security system refuses of an opener, RiskUnavailable."""
        ...

    async def detail(self, person_id: str, packet_id: str) -> PacketDetail:
        """For the sender, who opened it, its group's members; of a packet for anybody, once it has
        ended, for everybody. Refuses: NotFound."""
        ...

    async def verify(self, packet_id: str) -> Verified:
        """Of an ended packet, for anybody. Refuses: NotFound, PacketNotEnded."""
        ...

    async def thank(self, person_id: str, packet_id: str, thanks: Greeting) -> Share:
        """Refuses: NotFound, GreetingRefused."""
        ...

    async def inbox(
        self, person_id: str, box: str, year: int, cursor: str, limit: int = INBOX_PAGE
    ) -> InboxPage:
        """box: "waiting" (unread first, then by time left), "received", "sent". limit: at most
        100. Refuses: BadRequest."""
        ...

    async def unread(self, person_id: str) -> int: ...

    async def look(self, person_id: str, packet_id: str) -> None:
        """It was looked at."""
        ...

    async def years(self, person_id: str, box: str) -> tuple[YearSum, ...]: ...

    async def sweep(self) -> int:
        """Post what was decided, expire, give rests back, end what was never paid."""
        ...


class PacketEmpty(DomainError, code="packet_empty"):
    """Too late: all shares are taken."""


class PacketExpired(DomainError, code="packet_expired"):
    """More than 24 hours old; the rest goes back to the sender."""


class PacketNotForYou(DomainError, code="packet_not_for_you"):
    """Exclusive to another, or of a group that the person is not in."""


class PasscodeWrong(DomainError, code="passcode_wrong"):
    """params: tries_left."""


class PasscodeSpent(DomainError, code="passcode_spent"):
    """Five wrong tries."""


class PacketNotEnded(DomainError, code="packet_not_ended"):
    """Its seed is told when it is empty or expired, not before."""


class ShareTooSmall(DomainError, code="share_too_small"):
    """Less than 1 fen for each."""


class ShareTooLarge(DomainError, code="share_too_large"):
    """More than 200 yuan for one."""


class TooManyShares(DomainError, code="too_many_shares"):
    """More than 100, or than the group has members; params: limit."""


class GreetingRefused(DomainError, code="greeting_refused"):
    """Control characters, bidirectional overrides, or too long."""


class PacketLimit(DomainError, code="packet_limit"):
    """Over what the person may send today; params: left_fen."""


class SenderFrozen(DomainError, code="sender_frozen"):
    """The packet of a frozen person is not opened; its money goes back at the end."""
