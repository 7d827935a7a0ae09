"""What a person may withdraw. Facts in, answer out; nothing is fetched or stored here."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from backend.risk.refusals import DeviceTooNew, LimitExceeded, NeedsPasskey, PayerFrozen
from backend.risk.rules import Need, is_frozen

INSTANT, NEXT_DAY = "instant", "next_day"
SPEEDS = (INSTANT, NEXT_DAY)

EACH_FEN = 50_000_00
DAY_FEN: Mapping[str, int] = {INSTANT: 10_000_00, NEXT_DAY: 50_000_00}  # level A or B: by passkey
EACH_LIMIT = "withdraw_each"
DAY_LIMIT: Mapping[str, str] = {INSTANT: "withdraw_instant", NEXT_DAY: "withdraw_next_day"}


class Drawer(msgspec.Struct, frozen=True, kw_only=True):
    """Who withdraws, with a live device in hand. keys: of all their passkeys."""

    person_id: str
    device_id: str
    trusted_at: datetime
    frozen_at: datetime | None
    thaws_at: datetime | None
    alarmed: bool
    bound_keys: tuple[bytes, ...]
    synced_keys: tuple[bytes, ...]


def need(drawer: Drawer, now: datetime) -> Need:
    """A passkey, always; or a wait first. Refuses: PayerFrozen, NeedsPasskey."""
    thawing = drawer.thaws_at is not None and drawer.thaws_at > now
    if drawer.alarmed or (not thawing and is_frozen(drawer.frozen_at, drawer.thaws_at, now)):
        raise PayerFrozen()
    if thawing:
        return Need("wait", "", ("thawing",), drawer.thaws_at)
    if drawer.trusted_at > now:
        return Need("wait", "", ("new_device",), drawer.trusted_at)
    keys = drawer.bound_keys + drawer.synced_keys
    if not keys:
        raise NeedsPasskey()
    return Need("passkey", "A" if drawer.bound_keys else "B", ("withdrawal",), keys=keys)


def refuse_now(drawer: Drawer, now: datetime) -> None:
    """At the moment of consent. Refuses: PayerFrozen, DeviceTooNew."""
    if drawer.alarmed or is_frozen(drawer.frozen_at, drawer.thaws_at, now):
        raise PayerFrozen()
    if drawer.trusted_at > now:
        raise DeviceTooNew(hours=-(-(drawer.trusted_at - now) // timedelta(hours=1)))


def refuse_over(amount_fen: int, speed: str, used_fen: int) -> None:
    """used_fen: of this speed on this day. Refuses: LimitExceeded."""
    if amount_fen > EACH_FEN:
        raise LimitExceeded(limit=EACH_LIMIT, left_fen=EACH_FEN)
    left = max(DAY_FEN[speed] - used_fen, 0)
    if amount_fen > left:
        raise LimitExceeded(limit=DAY_LIMIT[speed], left_fen=left)
