"""What happened to an account's security: signals for the rules, kept for good."""

from collections.abc import Sequence
from datetime import datetime

from backend.db import SEC


async def record(person_id: str, device_id: str, kinds: Sequence[str], now: datetime) -> None:
    """kinds: "wallet_opened", "device_added", "signed_in", "new_device", "device_removed",
    "frozen", "thaw_started", "shop_founded", "member_invited", "member_joined", "member_changed",
    "member_removed", "payout_card_set", "card_bound", "takeover_suspected", "counter_regression",
    "backup_changed". Of an operator, with the alarm in the device's place: "alarm_closed";
    "alarm_frozen" and "alarm_thawed" with the account in the person's."""
    if kinds:
        await SEC.query(
            "insert into risk.security_event (person_id, device_id, kind, happened_at) "
            "select $1, $2, kind, $4 from unnest($3::text[]) kind",
            person_id,
            device_id,
            list(kinds),
            now,
        )
