"""The open book: what the single writer remembers of the accounts, and how it decides by it.

The writer is alone, so what it remembers is what the database holds; decisions are arithmetic in
memory, one posting after the other, while the batch before is still being committed. The database
does not take this on trust: the batch's one update names the entry number each account must still
have, and its checks hold the floors. If anything is otherwise, the whole batch is decided anew.
"""

from backend.errors import DomainError, IdReused
from backend.ledger import (
    AccountFrozen,
    CurrencyMismatch,
    HoldEnded,
    HoldExceeded,
    InsufficientFunds,
    MalformedPosting,
    UnknownAccount,
    UnknownHold,
    VerdictExpired,
    VerdictUsed,
)
from backend.ledger.batch import NOTHING, Account, After, Batch, Entered, Hold, Work
from backend.posting import Op, Transfer

Why = type[DomainError]

# Looked up once: enum members are slow to reach.
MOVE, HOLD, CAPTURE, VOID = Op.MOVE, Op.HOLD, Op.CAPTURE, Op.VOID
OP_NAMES = {op: op.value for op in Op}

MAX_ACCOUNTS = 200_000
MAX_HOLDS = 50_000


class Book:
    """Accounts by key, holds by id, and the verdicts of batches that are not committed yet."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.holds: dict[str, Hold] = {}
        self.spent: set[str] = set()

    def admit(self, batch: Batch, work: Work, now_ms: int) -> Why | None:
        """Write the posting into the batch, or say why not. Its accounts and holds are loaded."""
        why = self._refusal(work, now_ms)
        if why is not None:
            return why
        if not self._move(batch, work):
            return InsufficientFunds
        if work.verdict_id is not None:
            self.spent.add(work.verdict_id)
        return None

    def forget(self, batch: Batch) -> None:
        """The batch was not written: what it touched must be read again."""
        for account in batch.touched:
            self.accounts.pop(account.key, None)
        for work in batch.works:
            for transfer in work.hold_ops:
                self.holds.pop(transfer.hold_id, None)
        self.settle(batch)

    def settle(self, batch: Batch) -> None:
        """The batch is over: the database knows its verdicts now, or never will."""
        self.spent.difference_update(w.verdict_id for w in batch.works if w.verdict_id is not None)

    def trim(self, oldest_open: int) -> None:
        """Keep memory bounded: drop what no open batch touches."""
        if len(self.accounts) > MAX_ACCOUNTS:
            self.accounts = {k: a for k, a in self.accounts.items() if a.batch >= oldest_open}
        if len(self.holds) > MAX_HOLDS:
            self.holds = {k: h for k, h in self.holds.items() if h.batch >= oldest_open}

    # -- the refusals, in their fixed order -------------------------------------------------------

    def _refusal(self, work: Work, now_ms: int) -> Why | None:
        if work.hold_ops:
            why = self._hold_made_before(work, now_ms)
            if why is not None:
                return why
        if work.fault is not None:
            return work.fault
        if work.verdict_id is not None:
            if now_ms >= work.valid_until_ms:
                return VerdictExpired
            if work.spent or work.verdict_id in self.spent:
                return VerdictUsed
        return self._account_refusal(work) or (
            self._hold_refusal(work, now_ms) if work.hold_ops else None
        )

    def _hold_made_before(self, work: Work, now_ms: int) -> Why | None:
        """A hold's id is the caller's: used again, it is the same mistake as a posting's."""
        made = [t for t in work.hold_ops if t.op is HOLD]
        if any(t.hold_id in self.holds for t in made):
            return IdReused
        if any(t.deadline_ms <= now_ms for t in made):
            return MalformedPosting
        return None

    def _account_refusal(self, work: Work) -> Why | None:
        accounts, currency, frozen = self.accounts, work.posting.currency, False
        other_currency = False
        for key in work.keys:
            account = accounts.get(key)
            if account is None:
                return UnknownAccount
            if account.currency != currency:
                other_currency = True
            if account.frozen:
                frozen = True
        if other_currency:
            return CurrencyMismatch
        if frozen and self._moves_frozen(work):
            return AccountFrozen
        return None

    def _moves_frozen(self, work: Work) -> bool:
        """Nothing leaves a frozen account; what comes in or is given back arrives."""
        debits = zip(work.posting.transfers, work.keys[::2], strict=True)
        return any(t.op is not VOID and self.accounts[debit].frozen for t, debit in debits)

    def _hold_refusal(self, work: Work, now_ms: int) -> Why | None:
        ends = [
            (t, self.holds.get(t.hold_id), debit, credit)
            for t, debit, credit in zip(
                work.posting.transfers, work.keys[::2], work.keys[1::2], strict=True
            )
            if t.op is CAPTURE or t.op is VOID
        ]
        if any(h is None or h.debit != debit or h.credit != credit for _, h, debit, credit in ends):
            return UnknownHold
        found = [(t, h) for t, h, _, _ in ends if h is not None]
        if any(h.ended or (now_ms >= h.deadline_ms and not work.expiry) for _, h in found):
            return HoldEnded
        if any(_exceeds(t, h) for t, h in found):
            return HoldExceeded
        return None

    # -- the arithmetic ---------------------------------------------------------------------------

    def _move(self, batch: Batch, work: Work) -> bool:
        """All transfers in their order, or none; False if one would cross a floor."""
        accounts, number, rows = self.accounts, batch.number, batch.rows
        first_row, at = len(rows), len(batch.works)
        undo: list[tuple[Account, int, int, int]] = []
        keys = iter(work.keys)
        for line, transfer in enumerate(work.posting.transfers):
            debit, credit = accounts[next(keys)], accounts[next(keys)]
            if debit.batch != number:
                debit.begin(batch)
            if credit.batch != number:
                credit.begin(batch)
            undo.append((debit, debit.posted, debit.held, debit.seq))
            undo.append((credit, credit.posted, credit.held, credit.seq))
            if not self._reserve(debit, transfer):
                _roll_back(undo)
                del rows[first_row:]
                return False
            rows.append((at, line, *_entered(debit, credit, transfer)))
        batch.add(work)
        for transfer in work.hold_ops:
            self._turn_hold(batch, transfer, at)
        return True

    def _reserve(self, debit: Account, transfer: Transfer) -> bool:
        """Take it from what is available, which is what a capture or void gives back first."""
        op = transfer.op
        if op is MOVE:
            return debit.posted - transfer.amount_fen - debit.held >= debit.floor
        if op is HOLD:
            debit.held += transfer.amount_fen
            return debit.posted - debit.held >= debit.floor
        debit.held -= self.holds[transfer.hold_id].amount
        return True

    def _turn_hold(self, batch: Batch, transfer: Transfer, at: int) -> None:
        if transfer.op is HOLD:
            hold = Hold.made(transfer, batch.number)
            self.holds[transfer.hold_id] = hold
            batch.holds_made.append((at, transfer.hold_id, hold))
        else:
            hold = self.holds[transfer.hold_id]
            hold.ended, hold.batch = True, batch.number
            captured = transfer.amount_fen if transfer.op is CAPTURE else 0
            batch.holds_ended.append((at, transfer.hold_id, captured))
        if transfer.op is not VOID:
            batch.valid_until_ms = min(batch.valid_until_ms, hold.deadline_ms)


def _entered(debit: Account, credit: Account, transfer: Transfer) -> Entered:
    """Both entries of a move or capture; holds and voids enter nothing."""
    amount, op = transfer.amount_fen, transfer.op
    if op is MOVE or op is CAPTURE:
        debit.posted -= amount
        credit.posted += amount
        debit.seq += 1
        credit.seq += 1
        after: After = (debit.seq, debit.posted, credit.seq, credit.posted)
    else:
        after = NOTHING
    return (debit.key, credit.key, amount, *after, OP_NAMES[op], transfer.hold_id or None)


def _exceeds(transfer: Transfer, hold: Hold) -> bool:
    """A capture may be of less than was held; a void is of the whole."""
    if transfer.op is VOID:
        return transfer.amount_fen != hold.amount
    return transfer.amount_fen > hold.amount


def _roll_back(undo: list[tuple[Account, int, int, int]]) -> None:
    for account, posted, held, seq in reversed(undo):
        account.posted, account.held, account.seq = posted, held, seq
