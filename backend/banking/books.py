"""A top-up in the books: the arrival, then the credit on the bank's word. Both may be repeated."""

from datetime import timedelta

from backend.banking import own, rules
from backend.banking.rows import Row
from backend.clock import to_ms
from backend.errors import DomainError
from backend.intent import Intent
from backend.ledger import Ledger, NewAccount, Post, Posted
from backend.risk import AuthorizeTopUp, BankWord, Risk
from backend.verdict import SignedVerdict

INTENT_LIFE = timedelta(days=3650)  # money that has come in does not expire
PAYEE_NAME = "易支付"
MAX_OPENED = 100_000


class NotCredited(Exception):
    """The ledger refused the top-up for good: its money is to go back to the card."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Books:
    def __init__(self, ledger: Ledger, risk: Risk) -> None:
        self._ledger, self._risk = ledger, risk
        self._opened: set[str] = set()

    async def arrive(self, row: Row) -> None:
        await self._open(row.person_id)
        await own.move(
            self._ledger, rules.arrival(row.topup_id, row.amount_fen, to_ms(row.event_at))
        )

    async def credit(self, row: Row, word: BankWord, *, in_time: bool) -> Posted:
        """Of what has arrived. Raises NotCredited, and refuses what may be otherwise later."""
        posted = await self._outcome(row)
        if posted is not None:
            return posted
        intent = intent_of(row)
        verdict = await self._verdict(AuthorizeTopUp(intent, word), in_time=in_time)
        try:
            return await self._ledger.post(Post(intent.posting, verdict))
        except DomainError as refusal:
            posted = None if refusal.retryable else await self._outcome(row)
            if posted is None:
                raise
            return posted

    async def give_back(self, row: Row) -> None:
        await own.move(
            self._ledger, rules.give_back(row.topup_id, row.amount_fen, to_ms(row.event_at))
        )

    async def _verdict(self, asked: AuthorizeTopUp, *, in_time: bool) -> SignedVerdict | None:
        try:
            return await self._risk.authorize_top_up(asked)
        except DomainError as refusal:
            if in_time or refusal.retryable:
                raise
            # Without a verdict the ledger refuses, and that is final: from then on nobody can
            # credit the money any more, and it can be given back.
            return None

    async def _outcome(self, row: Row) -> Posted | None:
        """None if the ledger has not decided it."""
        outcome = await self._ledger.outcome(row.topup_id)
        if outcome is not None and outcome.posted is None:
            raise NotCredited(outcome.refusal_code)
        return None if outcome is None else outcome.posted

    async def _open(self, person_id: str) -> None:
        account = rules.person_account(person_id)
        if account in self._opened:
            return
        await self._ledger.open_accounts((*rules.BANK_ACCOUNTS, NewAccount(account)))
        if len(self._opened) >= MAX_OPENED:
            self._opened.clear()
        self._opened.add(account)


def intent_of(row: Row) -> Intent:
    """The same bytes whenever it is made."""
    return Intent(
        intent_id=row.topup_id,
        kind="topup",
        payer_id="bank",
        payee_id=row.person_id,
        payee_name=PAYEE_NAME,
        amount_fen=row.amount_fen,
        fee_fen=0,
        source=rules.TRANSIT,
        code="none",
        posting=rules.credit(row.topup_id, row.person_id, row.amount_fen, to_ms(row.event_at)),
        expires_at_ms=to_ms(row.created_at + INTENT_LIFE),
        nonce=row.nonce,
    )
