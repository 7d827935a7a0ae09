"""The one door for the faces: every module behind its Protocol."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import msgspec

from backend import db, rpc
from backend.access_token import AccessTokens
from backend.banking import Banking
from backend.banking.gateway import HttpBank
from backend.banking.service import BankingService
from backend.bills import Bills
from backend.bills.service import BillsService
from backend.clock import Clock, clock_for
from backend.events import Events
from backend.events.service import EventsService
from backend.friends import Friends
from backend.friends.parts import Parts as FriendsParts
from backend.friends.service import FriendsService
from backend.idempotency import Idempotency
from backend.idempotency.service import IdempotencyService
from backend.identity import Identity
from backend.identity.service import IdentityService
from backend.ledger import Ledger
from backend.merchant import Merchant
from backend.merchant.parts import Parts as MerchantParts
from backend.merchant.service import MerchantService
from backend.nonces import Nonces
from backend.notices import Notices
from backend.notices.parts import Parts as NoticesParts
from backend.notices.record import Recorder
from backend.notices.service import NoticesService
from backend.payments import Payments
from backend.payments.parts import Parts
from backend.payments.service import PaymentsService
from backend.redpacket import RedPackets
from backend.redpacket.parts import Parts as RedPacketParts
from backend.redpacket.service import RedPacketService
from backend.risk import Risk
from backend.sales import Sales
from backend.sales.service import SalesService
from backend.settings import Settings
from backend.settlement import Settlement
from backend.settlement.service import Parts as SettlementParts
from backend.settlement.service import SettlementService
from backend.transfers import Transfers
from backend.transfers.parts import Parts as TransfersParts
from backend.transfers.service import TransfersService

Closer = Callable[[], Awaitable[None]]

Face = TypeVar("Face")


class Services(msgspec.Struct, frozen=True, kw_only=True):
    identity: Identity
    ledger: Ledger
    risk: Risk
    bills: Bills
    events: Events
    idempotency: Idempotency
    payments: Payments
    banking: Banking
    merchant: Merchant
    friends: Friends
    notices: Notices
    redpackets: RedPackets
    sales: Sales
    settlement: Settlement
    transfers: Transfers
    tokens: AccessTokens
    nonces: Nonces


async def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ledger: Ledger | None = None,
    risk: Risk | None = None,
) -> tuple[Services, Closer]:
    """All modules and the way to close what was opened here.

    Ledger and risk are called in their own processes, unless an implementation is given.
    """
    stack, now = AsyncExitStack(), clock or clock_for(settings)
    try:
        if db.TX.pool is None:
            await db.TX.open(settings.tx_url)
            stack.push_async_callback(db.TX.close)
        events = EventsService(settings.tx_url, Recorder(now).note)
        stack.push_async_callback(events.close)
        bank = HttpBank(settings.bank_url)
        stack.push_async_callback(bank.close)
        parts = Parts(
            ledger=ledger or _remote(Ledger, settings.ledger_rpc, settings, stack),
            risk=risk or _remote(Risk, settings.risk_rpc, settings, stack),
            identity=IdentityService(now, events, Path(settings.keys_dir)),
            bills=BillsService(),
            events=events,
            sales=SalesService(now),
            clock=now,
            history=settings.demo,
        )
        found = await _assemble(settings, parts, bank)
    except BaseException:
        await stack.aclose()
        raise
    return found, stack.aclose


def _remote(face: type[Face], address: str, settings: Settings, stack: AsyncExitStack) -> Face:
    stand_in, client = rpc.connect(face, address, settings)
    stack.push_async_callback(client.close)
    return stand_in


async def _assemble(settings: Settings, parts: Parts, bank: HttpBank) -> Services:
    payments = PaymentsService(parts)
    await payments.open_company_accounts()
    keys, memory_id = Path(settings.keys_dir), await parts.identity.proof_memory()
    banking = BankingService(
        bank=bank,
        ledger=parts.ledger,
        risk=parts.risk,
        bills=parts.bills,
        events=parts.events,
        clock=parts.clock,
        bank_keys=Path(settings.bank_keys),
        history=settings.demo,
    )
    merchant = _merchant(parts, payments)
    friends = FriendsService(
        FriendsParts(identity=parts.identity, events=parts.events, clock=parts.clock)
    )
    redpackets = _redpackets(parts, payments, friends)
    transfers = _transfers(parts, payments, friends)
    return Services(
        identity=parts.identity,
        ledger=parts.ledger,
        risk=parts.risk,
        bills=parts.bills,
        events=parts.events,
        idempotency=IdempotencyService(parts.clock),
        payments=payments,
        banking=banking,
        merchant=merchant,
        friends=friends,
        notices=_notices(parts, friends, redpackets, transfers),
        redpackets=redpackets,
        sales=parts.sales,
        settlement=SettlementService(
            SettlementParts(
                sales=parts.sales,
                ledger=parts.ledger,
                banking=banking,
                merchant=merchant,
                risk=parts.risk,
                clock=parts.clock,
                keep_years=settings.keep_years,
            )
        ),
        transfers=transfers,
        tokens=AccessTokens(keys, settings.public_origin, parts.clock),
        nonces=Nonces(keys, parts.clock, memory_id),
    )


def _merchant(parts: Parts, payments: Payments) -> MerchantService:
    return MerchantService(
        MerchantParts(
            payments=payments,
            risk=parts.risk,
            identity=parts.identity,
            events=parts.events,
            sales=parts.sales,
            clock=parts.clock,
        )
    )


def _redpackets(parts: Parts, payments: Payments, friends: Friends) -> RedPacketService:
    return RedPacketService(
        RedPacketParts(
            payments=payments,
            friends=friends,
            ledger=parts.ledger,
            risk=parts.risk,
            identity=parts.identity,
            bills=parts.bills,
            events=parts.events,
            clock=parts.clock,
        )
    )


def _notices(
    parts: Parts, friends: Friends, redpackets: RedPackets, transfers: Transfers
) -> NoticesService:
    return NoticesService(
        NoticesParts(
            bills=parts.bills,
            events=parts.events,
            friends=friends,
            identity=parts.identity,
            redpackets=redpackets,
            risk=parts.risk,
            transfers=transfers,
            clock=parts.clock,
        )
    )


def _transfers(parts: Parts, payments: Payments, friends: Friends) -> TransfersService:
    return TransfersService(
        TransfersParts(
            payments=payments,
            friends=friends,
            identity=parts.identity,
            ledger=parts.ledger,
            risk=parts.risk,
            bills=parts.bills,
            events=parts.events,
            clock=parts.clock,
        )
    )
