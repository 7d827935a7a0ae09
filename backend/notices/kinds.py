"""Which events make a notice, and of which kind. What isn't here is for open pages only."""

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """Events of one kind and thing share a notice: the later one renews it."""

    kind: str
    area: str


# By event, as the modules record it.
KINDS = {
    "payment_received": Rule("payment_received", "money"),
    "payment_refunded": Rule("payment_refunded", "money"),
    "payment_kept": Rule("payment_kept", "money"),
    "refund_declined": Rule("refund_declined", "money"),
    "topup_settled": Rule("topup", "money"),
    "topup_returned": Rule("topup", "money"),
    "withdrawal_paid": Rule("withdrawal", "money"),
    "withdrawal_returned": Rule("withdrawal", "money"),
    "withdrawal_refused": Rule("withdrawal", "money"),
    "transfer_waiting": Rule("transfer", "money"),
    "transfer_arrived": Rule("transfer", "money"),
    "transfer_recalled": Rule("transfer", "money"),
    "request_asked": Rule("request", "money"),
    "request_reminded": Rule("request", "money"),
    "request_paid": Rule("request_answered", "money"),
    "request_declined": Rule("request_answered", "money"),
    "request_expired": Rule("request_answered", "money"),
    "friend_asked": Rule("friend_asked", "friends"),
    "friend_accepted": Rule("friend_accepted", "friends"),
    "group_joined": Rule("group_joined", "friends"),
    "packet_received": Rule("packet_received", "packets"),
    "packet_ended": Rule("packet_ended", "packets"),
    "packet_returned": Rule("packet_ended", "packets"),
    "packet_share_void": Rule("packet_share_void", "packets"),
    "refund_asked": Rule("refund_asked", "shop"),
    "payout_returned": Rule("payout_returned", "shop"),
    "device_added": Rule("device_added", "security"),
    "device_removed": Rule("device_removed", "security"),
    "frozen": Rule("frozen", "security"),
    "unfreeze_asked": Rule("unfreeze_asked", "security"),
    "thawed": Rule("thawed", "security"),
    "session_stolen": Rule("session_stolen", "security"),
    "payout_card_set": Rule("payout_card_set", "security"),
    "card_bound": Rule("card_bound", "security"),
}
ALL = tuple({rule.kind: rule for rule in KINDS.values()}.values())
OF_KIND = {rule.kind: rule for rule in ALL}
FIXED = "security"

# By the security system's own name of what it has seen (backend/risk/events.py).
SECURITY = {
    "device_added": "device_added",
    "new_device": "device_added",
    "device_removed": "device_removed",
    "frozen": "frozen",
    "alarm_frozen": "frozen",
    "thaw_started": "unfreeze_asked",
    "alarm_thawed": "thawed",
    "payout_card_set": "payout_card_set",
    "card_bound": "card_bound",
}
