"""Withdrawals as people see them: what it takes, agreeing with a passkey, what became of it."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from backend import cursor as places
from backend.banking import (
    CONFIRM_LIFE,
    MAX_UNCONFIRMED,
    BalanceTooLow,
    BankGateway,
    ConfirmWithdrawal,
    SpeedTerms,
    StartWithdrawal,
    TooManyUnconfirmed,
    Withdrawal,
    WithdrawalLapsed,
    WithdrawalPage,
    WithdrawalStarted,
    WithdrawalTerms,
    WithdrawalTooSmall,
    payout_rows,
)
from backend.banking import withdrawal_rows as rows
from backend.banking import withdrawal_rules as wr
from backend.banking.outgoing import Outgoing
from backend.banking.withdrawal_books import WithdrawalBooks, intent_of
from backend.banking.withdrawal_route import WithdrawalRoute, surely
from backend.banking.withdrawal_rows import WithdrawalRow
from backend.bills import Bills
from backend.clock import Clock
from backend.errors import BadRequest, IdReused, NotFound, Refusal, from_wire
from backend.events import Events
from backend.ids import is_id
from backend.ledger import Ledger
from backend.money import MAX_AMOUNT_FEN
from backend.risk import Authorize, Limit, Prepare, Risk

PREFIX = "wdr"
NONCE_BYTES = 32
MAX_PAGE = 100

_NEWEST = (datetime(9999, 12, 31, tzinfo=UTC), "\x7f")


class Withdrawals:
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
    ) -> None:
        self._risk, self._clock = risk, clock
        self._books = WithdrawalBooks(ledger, risk)
        self._route = WithdrawalRoute(self._books, risk, bills, events, clock)
        self._outgoing = Outgoing(self._route, bank, clock, bank_keys)
        self.said = self._outgoing.said
        self.sweep = self._outgoing.sweep

    async def terms(self, person_id: str, amount_fen: int, device_secret: str) -> WithdrawalTerms:
        if type(amount_fen) is not int or not 0 <= amount_fen <= MAX_AMOUNT_FEN:
            raise BadRequest()
        found = {lim.name: lim for lim in await self._risk.limits(person_id, device_secret)}
        now = self._clock.now()
        return WithdrawalTerms(
            amount_fen=amount_fen,
            available_fen=await self._books.available_fen(person_id),
            each_fen=found["withdraw_each"].limit,
            speeds=tuple(
                [await _terms(s, amount_fen, found[f"withdraw_{s}"], now) for s in wr.SPEEDS]
            ),
        )

    async def start(self, start: StartWithdrawal) -> WithdrawalStarted:
        if not is_id(start.withdrawal_id, PREFIX) or start.speed not in wr.SPEEDS:
            raise BadRequest()
        row = await rows.find(start.withdrawal_id) or await self._new(start)
        asked = (start.person_id, start.card_id, start.amount_fen, start.speed)
        if (row.person_id, row.card_id, row.amount_fen, row.speed) != asked:
            raise IdReused()
        if row.status != "created":
            return WithdrawalStarted(withdrawal=rows.shown(row), requirement=None)
        self._check_open(row)
        await payout_rows.check_card(start.person_id, start.card_id)
        requirement = await self._risk.prepare_withdrawal(
            Prepare(intent_of(row), start.device_secret, start.address)
        )
        if requirement.takes == "none":  # a verdict was given and its answer lost: fetch it
            proof = Authorize(start.withdrawal_id, start.device_secret)
            return WithdrawalStarted(withdrawal=await self._go_on(row, proof), requirement=None)
        return WithdrawalStarted(withdrawal=rows.shown(row), requirement=requirement)

    async def confirm(self, confirm: ConfirmWithdrawal) -> Withdrawal:
        row = await self._own(confirm.person_id, confirm.withdrawal_id)
        proof = Authorize(
            intent_id=confirm.withdrawal_id,
            device_secret=confirm.device_secret,
            ceremony_id=confirm.ceremony_id,
            response_json=confirm.response_json,
        )
        return await self._go_on(row, proof)

    async def withdrawal(self, person_id: str, withdrawal_id: str) -> Withdrawal:
        return rows.shown(await self._own(person_id, withdrawal_id))

    async def withdrawals(self, person_id: str, cursor: str, limit: int) -> WithdrawalPage:
        if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
            raise BadRequest()
        of = f"withdrawals\n{person_id}"
        start = places.decode(of, cursor) if cursor else _NEWEST
        found = await rows.newest(person_id, start, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return WithdrawalPage(
            withdrawals=tuple(rows.shown(row) for row in found[:limit]),
            next_cursor=places.encode(of, last.created_at, last.withdrawal_id) if last else "",
        )

    async def _new(self, start: StartWithdrawal) -> WithdrawalRow:
        if not (type(start.amount_fen) is int and 0 < start.amount_fen <= MAX_AMOUNT_FEN):
            raise BadRequest()
        await payout_rows.check_card(start.person_id, start.card_id)
        now = self._clock.now()
        fee_fen = wr.fee(await rows.fee_line(start.speed, now), start.amount_fen)
        if fee_fen >= start.amount_fen:
            raise WithdrawalTooSmall(fee_fen=fee_fen)
        available = await self._books.available_fen(start.person_id)
        if start.amount_fen > available:
            raise BalanceTooLow(available_fen=max(available, 0))
        if await rows.unconfirmed(start.person_id, now) >= MAX_UNCONFIRMED:
            raise TooManyUnconfirmed(limit=MAX_UNCONFIRMED, minutes=CONFIRM_LIFE.seconds // 60)
        nonce = secrets.token_bytes(NONCE_BYTES)
        await rows.insert(start, fee_fen, nonce, wr.times(start.speed, now), now)
        return await surely(start.withdrawal_id)

    async def _go_on(self, row: WithdrawalRow, proof: Authorize) -> Withdrawal:
        if row.status == "created":
            self._check_open(row)
            row = await self._route.agreed(row, await self._risk.authorize_withdrawal(proof))
        if row.status in ("authorized", "posted"):
            await self._outgoing.drive(row)
            row = await surely(row.withdrawal_id)
        if row.status == "refused":
            raise from_wire(Refusal(row.refusal_code, {}))
        return rows.shown(row)

    def _check_open(self, row: WithdrawalRow) -> None:
        """Refuses: WithdrawalLapsed."""
        if self._clock.now() >= row.confirm_by:
            raise WithdrawalLapsed()

    async def _own(self, person_id: str, withdrawal_id: str) -> WithdrawalRow:
        row = await rows.find(withdrawal_id)
        if row is None or row.person_id != person_id:
            raise NotFound()
        return row


async def _terms(speed: str, amount_fen: int, limit: Limit, now: datetime) -> SpeedTerms:
    at = wr.times(speed, now)
    return SpeedTerms(
        speed=speed,
        fee_fen=wr.fee(await rows.fee_line(speed, now), amount_fen),
        hand_over_at=at.hand_over_at,
        arrives_by=at.deadline_at,
        left_fen=max(limit.limit - limit.used, 0),
        day_fen=limit.limit,
    )
