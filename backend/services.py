"""The one door for the faces: every module behind its Protocol."""

from collections.abc import Awaitable, Callable

import msgspec

from backend.banking import Banking
from backend.bills import Bills
from backend.events import Events
from backend.identity import Identity
from backend.ledger import Ledger
from backend.merchant import Merchant
from backend.payments import Payments
from backend.risk import Risk

Closer = Callable[[], Awaitable[None]]


class Services(msgspec.Struct, frozen=True, kw_only=True):
    identity: Identity
    ledger: Ledger
    risk: Risk
    bills: Bills
    events: Events
    payments: Payments
    banking: Banking
    merchant: Merchant
