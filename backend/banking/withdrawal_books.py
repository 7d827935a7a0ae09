"""A withdrawal in the books: out of the wallet, then to the bank or back. All repeatable."""

import msgspec

from backend.banking import finality, own, rules
from backend.banking import withdrawal_rules as wr
from backend.banking.withdrawal_rows import WithdrawalRow
from backend.clock import to_ms
from backend.intent import Intent
from backend.ledger import Ledger, NewAccount, Post, Posted
from backend.risk import AuthorizeTopUp, BankWord, Risk
from backend.verdict import SignedVerdict

ACCOUNTS = (*rules.BANK_ACCOUNTS, NewAccount(wr.FEES, None))

_verdicts = msgspec.msgpack.Decoder(SignedVerdict)


class WithdrawalBooks:
    def __init__(self, ledger: Ledger, risk: Risk) -> None:
        self._ledger, self._risk = ledger, risk
        self._opened = False

    async def leave(self, row: WithdrawalRow) -> Posted:
        """Out of the wallet, with the verdict it was given. Raises finality.Refused; refuses what
        may be otherwise later."""
        assert row.verdict is not None, "agreed to"
        posted = await finality.outcome(self._ledger, row.withdrawal_id)
        if posted is not None:
            return posted
        await self._open()
        verdict = _verdicts.decode(row.verdict)
        return await finality.post(self._ledger, intent_of(row).posting, verdict)

    async def close(self, row: WithdrawalRow) -> None:
        """Nobody agreed in time, so nobody may any more. Raises finality.Refused, always: with a
        verdict that we lost it can't have been posted, for what is posted is kept first."""
        await self._open()
        await finality.post(self._ledger, intent_of(row).posting, None)

    async def sent(self, row: WithdrawalRow) -> None:
        posting = rules.payout_sent(row.withdrawal_id, row.on_card_fen, to_ms(row.created_at))
        await own.move(self._ledger, posting)

    async def come_back(self, row: WithdrawalRow, word: BankWord) -> None:
        """Into the wallet again, on the bank's word that it refused."""
        intent = wr.returned(intent_of(row), row.on_card_fen)
        outcome = await self._ledger.outcome(intent.intent_id)
        if outcome is None or outcome.posted is None:
            asked = AuthorizeTopUp(intent, word)
            verdict = await self._risk.authorize_withdrawal_return(asked)
            await self._ledger.post(Post(intent.posting, verdict))

    async def dispute(self, row: WithdrawalRow) -> None:
        posting = rules.payout_disputed(row.withdrawal_id, row.on_card_fen, to_ms(row.created_at))
        await own.move(self._ledger, posting)

    async def available_fen(self, person_id: str) -> int:
        found = await self._ledger.balances((rules.person_account(person_id),))
        return found[0].available_fen if found else 0

    async def _open(self) -> None:
        if not self._opened:
            await self._ledger.open_accounts(ACCOUNTS)
            self._opened = True


def intent_of(row: WithdrawalRow) -> Intent:
    """The same bytes whenever it is made: the bank's token of this card, this amount and speed."""
    parts = (row.on_card_fen, row.fee_fen)
    at_ms = to_ms(row.created_at)
    return Intent(
        intent_id=row.withdrawal_id,
        kind="withdrawal",
        payer_id=row.person_id,
        payee_id=row.token,
        payee_name=f"{row.bank_name} {row.last4}"[:64],
        amount_fen=row.amount_fen,
        fee_fen=row.fee_fen,
        source=rules.person_account(row.person_id),
        code=row.speed,
        posting=wr.posting(row.withdrawal_id, row.person_id, parts, at_ms),
        expires_at_ms=to_ms(row.confirm_by),
        nonce=row.nonce,
    )


def kept(verdict: SignedVerdict) -> bytes:
    """As the row keeps it."""
    return msgspec.msgpack.encode(verdict)
