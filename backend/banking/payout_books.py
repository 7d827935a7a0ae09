"""A payout in the books: out of the shop's account, then to the bank or back. All repeatable."""

from datetime import timedelta

from backend.banking import finality, own, rules
from backend.banking.finality import Refused
from backend.banking.payout_rows import PayoutRow
from backend.bankleave import Leave, Order
from backend.clock import to_ms
from backend.errors import DomainError
from backend.intent import Intent
from backend.ledger import Ledger, Post
from backend.risk import AuthorizeTopUp, BankWord, Risk

INTENT_LIFE = timedelta(days=3650)  # what is under way does not expire
OWN_NAME = "易支付"


class PayoutBooks:
    def __init__(self, ledger: Ledger, risk: Risk) -> None:
        self._ledger, self._risk = ledger, risk
        self._opened = False

    async def leave(self, row: PayoutRow, *, in_time: bool) -> None:
        """Out of the shop's account. Raises Refused; refuses what may be otherwise later."""
        if await finality.outcome(self._ledger, row.payout_id):
            return
        await self._open()
        intent, verdict, why = intent_of(row), None, ""
        try:
            verdict = await self._risk.authorize_payout(intent)
        except DomainError as refusal:
            if in_time and refusal.retryable:
                raise
            why = refusal.code
        try:
            await finality.post(self._ledger, intent.posting, verdict)
        except Refused as never:
            raise Refused(why or never.code) from None

    async def leave_of(self, order: Order) -> Leave:
        return await self._risk.payout_leave(order.order_id, order.token)

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
        payee_id=row.token,
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
