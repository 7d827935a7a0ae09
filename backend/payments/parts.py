"""What paying is made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from backend.bills import Bills
from backend.clock import Clock
from backend.errors import OutcomeUnknown, Unavailable
from backend.events import Events
from backend.identity import Identity
from backend.ledger import Balance, Ledger
from backend.payments import LedgerUnavailable, RiskUnavailable
from backend.risk import Risk
from backend.sales import Sales

# The jobs of payments and refunds, by the id of either.
GIVE_BACK = "payments.give_back"
RESUME = "payments.resume"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """history: orders and payments may say that they happened earlier (the demo's history)."""

    ledger: Ledger
    risk: Risk
    identity: Identity
    bills: Bills
    events: Events
    sales: Sales
    clock: Clock
    history: bool = False

    def may_happen(self, event_at: datetime | None, now: datetime) -> bool:
        """Whether this may be the moment that a caller says; None is now."""
        return event_at is None or (self.history and event_at <= now)


@contextmanager
def risk_at_hand() -> Iterator[None]:
    """Whether the call went lost on its way there or back: without a verdict nothing moves."""
    try:
        yield
    except (Unavailable, OutcomeUnknown):
        raise RiskUnavailable() from None


@contextmanager
def ledger_at_hand() -> Iterator[None]:
    """For reading only."""
    try:
        yield
    except (Unavailable, OutcomeUnknown):
        raise LedgerUnavailable() from None


async def balance_of(ledger: Ledger, account_id: str) -> Balance:
    """Nothing, for an account that is not opened yet. Refuses: LedgerUnavailable."""
    with ledger_at_hand():
        found = await ledger.balances((account_id,))
    return found[0] if found else Balance(account_id, 0, 0, 0, False)
