"""Banking on PostgreSQL: cards, top-ups and payouts behind one face."""

from datetime import datetime
from pathlib import Path

from backend import ids
from backend.banking import (
    BankGateway,
    BindCard,
    Card,
    ConfirmCard,
    ConfirmWithdrawal,
    Payout,
    StartPayout,
    StartTopUp,
    StartWithdrawal,
    TopUp,
    Withdrawal,
    WithdrawalPage,
    WithdrawalStarted,
    WithdrawalTerms,
    payouts,
    rules,
    withdrawals,
)
from backend.banking.books import Books
from backend.banking.cards import Cards
from backend.banking.payout_books import PayoutBooks
from backend.banking.payouts import Payouts
from backend.banking.record import Record
from backend.banking.topups import TopUps
from backend.banking.withdrawals import Withdrawals
from backend.bills import Bills
from backend.clock import Clock
from backend.errors import BadRequest
from backend.events import Events
from backend.ledger import Ledger
from backend.risk import BankWord, Risk


class BankingService:
    """`bank_keys`: the file of the bank's public keys. Needs the database TX to be open.

    history: top-ups may say that they happened earlier (the demo's week of history).
    """

    def __init__(  # noqa: PLR0913 — each by its name
        self,
        *,
        bank: BankGateway,
        ledger: Ledger,
        risk: Risk,
        bills: Bills,
        events: Events,
        clock: Clock,
        bank_keys: Path,
        history: bool = False,
    ) -> None:
        self._cards = Cards(bank, risk, clock)
        record = Record(bills, events, clock)
        self._topups = TopUps(bank, Books(ledger, risk), record, clock, bank_keys)
        self._payouts = Payouts(bank, PayoutBooks(ledger, risk), events, clock, bank_keys)
        self._withdrawals = Withdrawals(
            bank=bank,
            ledger=ledger,
            risk=risk,
            bills=bills,
            events=events,
            clock=clock,
            bank_keys=bank_keys,
        )
        self._clock, self._history = clock, history

    async def bind_card(self, bind: BindCard) -> Card:
        return await self._cards.bind(bind)

    async def confirm_card(self, confirm: ConfirmCard) -> Card:
        return await self._cards.confirm(confirm)

    async def cards(self, person_id: str) -> tuple[Card, ...]:
        return await self._cards.cards(person_id)

    async def top_up(self, start: StartTopUp) -> TopUp:
        if start.event_at is not None and not self._may_be_of(start.event_at):
            raise BadRequest()
        return await self._topups.start(start)

    async def topup(self, person_id: str, topup_id: str) -> TopUp:
        return await self._topups.topup(person_id, topup_id)

    async def bank_said(self, word: BankWord) -> None:
        said = rules.unverified(word)  # whose it is, by the id inside
        if said is not None and ids.is_id(said.order_id, payouts.PREFIX):
            await self._payouts.said(word)
        elif said is not None and ids.is_id(said.order_id, withdrawals.PREFIX):
            await self._withdrawals.said(word)
        else:
            await self._topups.said(word)

    async def pay_out(self, start: StartPayout) -> Payout:
        return await self._payouts.start(start)

    async def payout(self, shop_id: str, payout_id: str) -> Payout:
        return await self._payouts.payout(shop_id, payout_id)

    async def withdrawal_terms(
        self, person_id: str, amount_fen: int, device_secret: str
    ) -> WithdrawalTerms:
        return await self._withdrawals.terms(person_id, amount_fen, device_secret)

    async def start_withdrawal(self, start: StartWithdrawal) -> WithdrawalStarted:
        return await self._withdrawals.start(start)

    async def confirm_withdrawal(self, confirm: ConfirmWithdrawal) -> Withdrawal:
        return await self._withdrawals.confirm(confirm)

    async def withdrawal(self, person_id: str, withdrawal_id: str) -> Withdrawal:
        return await self._withdrawals.withdrawal(person_id, withdrawal_id)

    async def withdrawals(self, person_id: str, cursor: str, limit: int) -> WithdrawalPage:
        return await self._withdrawals.withdrawals(person_id, cursor, limit)

    async def sweep(self) -> int:
        swept = await self._topups.sweep() + await self._payouts.sweep()
        return swept + await self._withdrawals.sweep()

    def _may_be_of(self, event_at: datetime) -> bool:
        return self._history and event_at <= self._clock.now()
