"""What transfers are made of."""

import msgspec

from backend.bills import Bills
from backend.clock import Clock
from backend.events import Events
from backend.friends import Friends
from backend.identity import Identity
from backend.ledger import Ledger
from backend.payments import Payments
from backend.risk import Risk


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    payments: Payments
    friends: Friends
    identity: Identity
    ledger: Ledger
    risk: Risk
    bills: Bills
    events: Events
    clock: Clock
