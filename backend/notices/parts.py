"""What notices are made of."""

import msgspec

from backend.bills import Bills
from backend.clock import Clock
from backend.events import Events
from backend.friends import Friends
from backend.identity import Identity
from backend.redpacket import RedPackets
from backend.risk import Risk
from backend.transfers import Transfers


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    bills: Bills
    events: Events
    friends: Friends
    identity: Identity
    redpackets: RedPackets
    risk: Risk
    transfers: Transfers
    clock: Clock
