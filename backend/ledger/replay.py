"""The books recomputed from the postings alone, to be held against what is stored."""

import msgspec

from backend.chain import account_key
from backend.posting import Op, Posting, Transfer

Line = tuple[int, int, int, int, str, str | None]
"""line, debit, credit, amount, op, hold id."""

EntryLine = tuple[int, int, int, int, int, int]
"""line, account, entry number, counterparty, amount, balance after."""


class Kept(msgspec.Struct):
    """What an account should hold."""

    account_id: str
    currency: str
    floor: int | None
    posted: int = 0
    held: int = 0
    seq: int = 0


class KeptHold(msgspec.Struct):
    """What a hold should say."""

    debit: int
    credit: int
    amount: int
    deadline_ms: int
    made_seq: int
    ended_seq: int | None = None
    captured: int | None = None


class Replay:
    """Applies postings in journal order; keeps what is wrong with them."""

    def __init__(self, accounts: dict[int, Kept]) -> None:
        self.accounts = accounts
        self.holds: dict[str, KeptHold] = {}
        self.lines: list[Line] = []
        self.entries: list[EntryLine] = []
        self.faults: list[tuple[str, str]] = []  # kind, account or hold id

    def apply(self, posting: Posting, journal_seq: int) -> None:
        """Leaves the rows that the posting should have in `lines` and `entries`."""
        self.lines, self.entries, self.faults = [], [], []
        for number, transfer in enumerate(posting.transfers):
            debit, credit = account_key(transfer.debit), account_key(transfer.credit)
            hold_id = transfer.hold_id or None
            line = (number, debit, credit, transfer.amount_fen, transfer.op.value, hold_id)
            self.lines.append(line)
            sides = self.accounts.get(debit), self.accounts.get(credit)
            if sides[0] is None or sides[1] is None:
                self.faults.append(("unknown_account", transfer.debit))
                continue
            if {sides[0].currency, sides[1].currency} != {posting.currency}:
                self.faults.append(("currency", transfer.debit))
            if transfer.op is not Op.MOVE:
                self._turn_hold(transfer, sides[0], journal_seq)
            if transfer.op in (Op.MOVE, Op.CAPTURE):
                self._enter(number, (debit, sides[0]), (credit, sides[1]), transfer.amount_fen)
            if _below(sides[0]):
                self.faults.append(("below_floor", transfer.debit))

    def _enter(
        self, line: int, debit: tuple[int, Kept], credit: tuple[int, Kept], amount: int
    ) -> None:
        for (key, kept), (other, _), change in ((debit, credit, -amount), (credit, debit, amount)):
            kept.posted += change
            kept.seq += 1
            self.entries.append((line, key, kept.seq, other, change, kept.posted))

    def _turn_hold(self, transfer: Transfer, debit: Kept, journal_seq: int) -> None:
        keys = account_key(transfer.debit), account_key(transfer.credit)
        hold = self.holds.get(transfer.hold_id)
        if transfer.op is Op.HOLD:
            if hold is not None:
                self.faults.append(("hold_twice", transfer.hold_id))
            debit.held += transfer.amount_fen
            self.holds[transfer.hold_id] = KeptHold(
                *keys, transfer.amount_fen, transfer.deadline_ms, journal_seq
            )
            return
        if hold is None or hold.ended_seq is not None or (hold.debit, hold.credit) != keys:
            self.faults.append(("no_such_hold", transfer.hold_id))
            return
        if transfer.amount_fen > hold.amount:
            self.faults.append(("hold_exceeded", transfer.hold_id))
        debit.held -= hold.amount
        hold.ended_seq = journal_seq
        hold.captured = transfer.amount_fen if transfer.op is Op.CAPTURE else 0


def _below(kept: Kept) -> bool:
    return kept.floor is not None and kept.posted - kept.held < kept.floor
