"""What shops are made of."""

import msgspec

from backend.clock import Clock
from backend.events import Events
from backend.identity import Identity
from backend.payments import Payments
from backend.risk import Risk
from backend.sales import Sales


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    payments: Payments
    risk: Risk
    identity: Identity
    events: Events
    sales: Sales
    clock: Clock
