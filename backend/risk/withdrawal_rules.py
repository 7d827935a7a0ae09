"""What a person may withdraw. Facts in, answer out; nothing is fetched or stored here."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from backend.risk.refusals import DeviceTooNew, LimitExceeded, NeedsPasskey, PayerFrozen
from backend.risk.rules import Need, is_frozen

INSTANT, NEXT_DAY = "instant", "next_day"
SPEEDS = (INSTANT, NEXT_DAY)

EACH_FEN = 50_000_00
DAY_FEN: Mapping[str, int] = {INSTANT: 10_000_00, NEXT_DAY: 50_000_00}
SYNCED = "synced"
SYNCED_DAY_FEN = 5_000_00  # level B, both speeds: whoever has the cloud account has the passkey
EACH_LIMIT = "withdraw_each"
DAY_LIMIT: Mapping[str, str] = {INSTANT: "withdraw_instant", NEXT_DAY: "withdraw_next_day"}
SYNCED_LIMIT = "withdraw_synced"


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


def need(drawer: Drawer, amount_fen: int, used: Mapping[str, int], now: datetime) -> Need:
    """A passkey, always, of those that may take so much; or a wait first. used: as `refuse_over`.
    Refuses: PayerFrozen, NeedsPasskey, LimitExceeded."""
    thawing = drawer.thaws_at is not None and drawer.thaws_at > now
    if drawer.alarmed or (not thawing and is_frozen(drawer.frozen_at, drawer.thaws_at, now)):
        raise PayerFrozen()
    if thawing:
        return Need("wait", "", ("thawing",), drawer.thaws_at)
    if drawer.trusted_at > now:
        return Need("wait", "", ("new_device",), drawer.trusted_at)
    if not drawer.bound_keys and not drawer.synced_keys:
        raise NeedsPasskey()
    synced_will_do = amount_fen <= _synced_left(used)
    if not drawer.bound_keys and not synced_will_do:
        raise LimitExceeded(limit=SYNCED_LIMIT, left_fen=_synced_left(used))
    keys = drawer.bound_keys + (drawer.synced_keys if synced_will_do else ())
    return Need("passkey", "A" if drawer.bound_keys else "B", ("withdrawal",), keys=keys)


def refuse_now(drawer: Drawer, now: datetime) -> None:
    """At the moment of consent. Refuses: PayerFrozen, DeviceTooNew."""
    if drawer.alarmed or is_frozen(drawer.frozen_at, drawer.thaws_at, now):
        raise PayerFrozen()
    if drawer.trusted_at > now:
        raise DeviceTooNew(hours=-(-(drawer.trusted_at - now) // timedelta(hours=1)))


def refuse_over(amount_fen: int, speed: str, used: Mapping[str, int], level: str = "") -> None:
    """used: fen on this day by speed, and by synced passkeys. level: of the passkey that signed.
    Refuses: LimitExceeded."""
    if amount_fen > EACH_FEN:
        raise LimitExceeded(limit=EACH_LIMIT, left_fen=EACH_FEN)
    left = max(DAY_FEN[speed] - used.get(speed, 0), 0)
    if amount_fen > left:
        raise LimitExceeded(limit=DAY_LIMIT[speed], left_fen=left)
    if level == "B" and amount_fen > _synced_left(used):
        raise LimitExceeded(limit=SYNCED_LIMIT, left_fen=_synced_left(used))


def _synced_left(used: Mapping[str, int]) -> int:
    return max(SYNCED_DAY_FEN - used.get(SYNCED, 0), 0)
