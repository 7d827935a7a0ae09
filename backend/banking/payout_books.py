"""A payout in the books: out of the shop's account, then to the bank or back. All repeatable."""

from datetime import timedelta

from backend.banking import own, rules
from backend.banking.payout_rows import PayoutRow
from backend.clock import to_ms
from backend.errors import DomainError
from backend.intent import Intent
from backend.ledger import Ledger, Post
from backend.posting import Posting
from backend.risk import AuthorizeTopUp, BankWord, Risk
from backend.verdict import SignedVerdict

INTENT_LIFE = timedelta(days=3650)  # what is under way does not expire
OWN_NAME = "易支付"


class NotPaidOut(Exception):
    """Refused for good: nothing has left the shop's account and nothing will by this payout."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PayoutBooks:
    def __init__(self, ledger: Ledger, risk: Risk) -> None:
        self._ledger, self._risk = ledger, risk
        self._opened = False

    async def leave(self, row: PayoutRow, *, in_time: bool) -> None:
        """Out of the shop's account. Raises NotPaidOut; refuses what may be otherwise later."""
        if await self._left(row):
            return
        await self._open()
        intent, verdict, why = intent_of(row), None, ""
        try:
            verdict = await self._risk.authorize_payout(intent)
        except DomainError as refusal:
            if in_time and refusal.retryable:
                raise
            # Without a verdict the ledger refuses, and that is final: whoever may still hold one
            # from an earlier try can't post it any more.
            why = refusal.code
        await self._post(row, intent.posting, verdict, why)

    async def sent(self, row: PayoutRow) -> None:
        await own.move(
            self._ledger, rules.payout_sent(row.payout_id, row.amount_fen, to_ms(row.created_at))
        )

    async def come_back(self, row: PayoutRow, word: BankWord) -> None:
        """Into the shop's account again, on the bank's word that it refused."""
        intent = return_of(row)
        outcome = await self._ledger.outcome(intent.intent_id)
        if outcome is None or outcome.posted is None:
            verdict = await self._risk.authorize_payout_return(AuthorizeTopUp(intent, word))
            await self._ledger.post(Post(intent.posting, verdict))

    async def dispute(self, row: PayoutRow) -> None:
        await own.move(
            self._ledger,
            rules.payout_disputed(row.payout_id, row.amount_fen, to_ms(row.created_at)),
        )

    async def _post(
        self, row: PayoutRow, posting: Posting, verdict: SignedVerdict | None, why: str
    ) -> None:
        try:
            await self._ledger.post(Post(posting, verdict))
        except DomainError as refusal:
            if refusal.retryable:
                raise
            if await self._left(row, why):
                return
            raise

    async def _left(self, row: PayoutRow, why: str = "") -> bool:
        """False if the ledger has not decided it."""
        outcome = await self._ledger.outcome(row.payout_id)
        if outcome is not None and outcome.posted is None:
            raise NotPaidOut(why or outcome.refusal_code)
        return outcome is not None

    async def _open(self) -> None:
        if not self._opened:
            await self._ledger.open_accounts(rules.BANK_ACCOUNTS)
            self._opened = True


def intent_of(row: PayoutRow) -> Intent:
    """The same bytes whenever it is made."""
    return Intent(
        intent_id=row.payout_id,
        kind="payout",
        payer_id=row.shop_id,
        payee_id=row.card_id,
        payee_name=f"{row.bank_name} {row.last4}"[:64],
        amount_fen=row.amount_fen,
        fee_fen=0,
        source=rules.shop_account(row.shop_id),
        code="none",
        posting=rules.payout(row.payout_id, row.shop_id, row.amount_fen, to_ms(row.created_at)),
        expires_at_ms=to_ms(row.created_at + INTENT_LIFE),
        nonce=row.nonce,
    )


def return_of(row: PayoutRow) -> Intent:
    posting = rules.payout_return(row.payout_id, row.shop_id, row.amount_fen, to_ms(row.created_at))
    return Intent(
        intent_id=posting.posting_id,
        kind="payout_return",
        payer_id="bank",
        payee_id=row.shop_id,
        payee_name=OWN_NAME,
        amount_fen=row.amount_fen,
        fee_fen=0,
        source=rules.PAYOUT,
        code="none",
        posting=posting,
        expires_at_ms=to_ms(row.created_at + INTENT_LIFE),
        nonce=row.nonce,
    )
