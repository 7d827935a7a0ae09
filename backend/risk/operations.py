"""What a phone's proof is good for: the calls of the API that each operation may come from.

A proof names the method and address that the phone meant. What it did not mean, nobody can do with
it: a proof for reading notices pays for nothing. A pair that is not here is refused.
"""

import re
from collections.abc import Mapping
from enum import StrEnum


class Operation(StrEnum):
    """The first four are kinds of intents."""

    PAY = "pay"
    TRANSFER = "transfer"
    PACKET = "packet"
    DELAYED = "delayed"
    WITHDRAWAL = "withdrawal"
    REFUND = "refund"
    REVERSAL = "reversal"
    OPEN = "open"  # a packet
    RECALL = "recall"  # a delayed transfer
    REDEEM = "redeem"  # a payment code, at a till
    ISSUE = "issue"  # payment codes
    REVEAL = "reveal"
    REVOKE = "revoke"
    FOUND = "found"  # a shop
    INVITE = "invite"
    CHANGE_MEMBER = "change_member"
    FREEZE = "freeze"
    FIRST_PASSKEY = "first_passkey"
    REGISTER = "register"
    SIGN_IN = "sign_in"
    QUOTE = "quote"
    LIMITS = "limits"
    WHICH = "which"  # device it is; nothing follows


_PAYMENTS = (
    "POST /v1/payments",
    "POST /v1/payments/{}/ceremony",
    "POST /v1/payments/{}/confirm",
)
_TRANSFERS = (
    "POST /v1/transfers",
    "POST /v1/transfers/{}/ceremony",
    "POST /v1/transfers/{}/confirm",
)
_REFUNDS = (
    "POST /v1/shop/orders/{}/refunds",
    "POST /v1/shop/orders/{}/refunds/{}/ceremony",
    "POST /v1/shop/orders/{}/refunds/{}/confirm",
)
_REVERSALS = ("POST /v1/till/orders/{}/reverse",)
_INVITATIONS = ("POST /v1/shop/staff/invitations",)
_MEMBERS = ("PUT /v1/shop/staff/{}", "POST /v1/shop/staff/{}/removal")

_CALLS: dict[Operation, tuple[str, ...]] = {
    Operation.PAY: _PAYMENTS,
    Operation.TRANSFER: (*_PAYMENTS, *_TRANSFERS),  # by a person's receive code, or to a friend
    Operation.PACKET: (
        "POST /v1/red-packets",
        "POST /v1/red-packets/{}/ceremony",
        "POST /v1/red-packets/{}/confirm",
    ),
    Operation.DELAYED: _TRANSFERS,
    Operation.WITHDRAWAL: (
        "POST /v1/withdrawals",
        "POST /v1/withdrawals/{}/ceremony",
        "POST /v1/withdrawals/{}/confirm",
    ),
    Operation.REFUND: _REFUNDS,
    Operation.REVERSAL: _REVERSALS,
    Operation.OPEN: ("POST /v1/red-packets/{}/open",),
    Operation.RECALL: ("POST /v1/transfers/{}/recall",),
    Operation.REDEEM: ("POST /v1/till/charges",),
    Operation.ISSUE: ("POST /v1/payment-codes", "POST /v1/payment-codes/ahead"),
    Operation.REVEAL: ("POST /v1/payment-codes/reveal",),
    Operation.REVOKE: (
        "DELETE /v1/payment-codes",
        "POST /v1/payment-codes/ahead",
        "POST /v1/sign-out",
        "DELETE /v1/sessions",
        "DELETE /v1/sessions/{}",
    ),
    # A shop that is older than this registry is told to it by whatever its owner does first.
    Operation.FOUND: (
        "POST /v1/shops",
        "POST /v1/shop/settlement/card",
        *_REFUNDS,
        *_REVERSALS,
        *_INVITATIONS,
        *_MEMBERS,
    ),
    Operation.INVITE: _INVITATIONS,
    Operation.CHANGE_MEMBER: _MEMBERS,
    Operation.FREEZE: ("POST /v1/freeze",),
    Operation.FIRST_PASSKEY: ("POST /v1/devices/first/ceremony",),
    Operation.REGISTER: ("POST /v1/enrolments/{}/device", "POST /v1/devices"),
    Operation.SIGN_IN: ("POST /v1/sign-in",),
    Operation.QUOTE: ("GET /v1/orders/{}/quote", "GET /v1/transfers/{}/quote"),
    Operation.LIMITS: ("GET /v1/limits", "GET /v1/withdrawals/quote"),
}
KNOWN = frozenset(call for calls in _CALLS.values() for call in calls)
CALLS: Mapping[Operation, tuple[str, ...]] = _CALLS | {Operation.WHICH: tuple(sorted(KNOWN))}

_ID = "[A-Za-z0-9_]+"


def _pattern(calls: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(call).replace(r"\{\}", _ID) for call in calls))


_PATTERNS = {operation: _pattern(calls) for operation, calls in CALLS.items()}


def may_come_from(operation: Operation, method: str, path: str) -> bool:
    """path: of the API, like "/v1/payments"."""
    return _PATTERNS[operation].fullmatch(f"{method} {path}") is not None
