"""The inbox of red packets: what waits, what was received and sent by year, and a file of it."""

from typing import Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from backend.clock import Clock
from backend.redpacket import InboxItem, YearSum
from backend.services import Services
from backend.settings import Settings
from backend.texts import catalogue
from backend.wallet.packet_file import name_of, packet_file, year_of
from mobile_api.caller import Caller
from mobile_api.packet_views import PacketView, ShareView, packet_view, share_view
from mobile_api.shapes import USUAL_LIMIT, Amount, Page, amount_of, limited, page_of

Box = Literal["waiting", "received", "sent"]
YearlyBox = Literal["received", "sent"]


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """unread: not looked at yet. soon: it ends within three hours. share: the caller's."""

    object: str = "inbox_item"
    packet: PacketView
    unread: bool
    soon: bool
    share: ShareView | None


class UnreadView(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "unread"
    count: int


class YearView(msgspec.Struct, frozen=True, kw_only=True):
    """Of what was received or sent; luckiest: how often the caller was."""

    object: str = "inbox_year"
    year: int
    amount: Amount
    count: int
    luckiest: int


@get("/v1/inbox")
async def list_inbox(  # noqa: PLR0913 — what a handler needs arrives by name
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    box: FromQuery[Box] = "waiting",
    year: FromQuery[int] = 0,
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[ItemView]:
    """Red packets that wait (unread first, then those that end first), or that were received or
    sent in a year (China's; this one if none is named), newest first.

    Refuses: bad_request."""
    found = await services.redpackets.inbox(
        caller.person.person_id, box, year or year_of(clock.now()), cursor, limited(limit)
    )
    return page_of([_item(settings, caller, item) for item in found.items], found.next_cursor)


@get("/v1/inbox/unread")
async def count_unread_red_packets(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> UnreadView:
    """How many wait and were not looked at."""
    return UnreadView(count=await services.redpackets.unread(caller.person.person_id))


@get("/v1/inbox/years")
async def list_inbox_years(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    box: FromQuery[YearlyBox] = "received",
) -> Page[YearView]:
    """Sums by year, newest first.

    Refuses: bad_request."""
    found = await services.redpackets.years(caller.person.person_id, box)
    return page_of([_year(each) for each in found])


@get("/v1/inbox/file", media_type="text/csv")
async def download_inbox(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    box: FromQuery[YearlyBox] = "received",
    year: FromQuery[int] = 0,
) -> Stream:
    """A year of red packets, received or sent, as CSV.

    Refuses: bad_request."""
    chosen, words = year or year_of(clock.now()), catalogue(caller.person.language)
    lines = await packet_file(services.redpackets, caller.person.person_id, box, chosen, words)
    return Stream(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name_of(box, chosen)}"'},
    )


def _item(settings: Settings, caller: Caller, found: InboxItem) -> ItemView:
    own = found.packet.sender_id == caller.person.person_id
    return ItemView(
        packet=packet_view(settings, caller, found.packet, concerned=own or found.mine is not None),
        unread=found.unread,
        soon=found.soon,
        share=share_view(caller, found.mine) if found.mine else None,
    )


def _year(found: YearSum) -> YearView:
    return YearView(
        year=found.year,
        amount=amount_of(found.sum_fen),
        count=found.count,
        luckiest=found.luckiest,
    )


handlers = [list_inbox, count_unread_red_packets, list_inbox_years, download_inbox]
