"""What red packets are made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec

from backend.bills import Bills
from backend.clock import Clock
from backend.errors import OutcomeUnknown, Unavailable
from backend.events import Events
from backend.friends import Friends
from backend.identity import Identity
from backend.ledger import Ledger
from backend.payments import Payments, RiskUnavailable
from backend.risk import Risk

# Longer than a verdict lives: what the ledger has not seen by then, it refuses for ever.
SETTLED_AFTER = timedelta(seconds=90)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    payments: Payments
    friends: Friends
    ledger: Ledger
    risk: Risk
    identity: Identity
    bills: Bills
    events: Events
    clock: Clock


@contextmanager
def risk_at_hand() -> Iterator[None]:
    """Whether the call went lost on its way there or back: without a verdict nothing moves."""
    try:
        yield
    except (Unavailable, OutcomeUnknown):
        raise RiskUnavailable() from None


def packet_account(packet_id: str) -> str:
    return f"packet:{packet_id}"


def person_account(person_id: str) -> str:
    return f"person:{person_id}"
