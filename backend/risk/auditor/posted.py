"""Is this posting lawful? Its content, its verdict, its transfers and entries, its effect."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from backend import chain, verdict
from backend.posting import Op, Posting, Transfer, needs_verdict
from backend.risk.auditor.books import Books, Hold
from backend.risk.auditor.pgoutput import Row

Keys = Mapping[str, bytes]
Rows = dict[tuple[int, int], Row]


class Effect(NamedTuple):
    """What one transfer does: fen that move, and the change of what the debit side holds."""

    debit: int
    credit: int
    moved_fen: int
    held_fen: int


account_key = lru_cache(maxsize=65_536)(chain.account_key)


def content_fault(books: Books, row: Row, posting: Posting) -> str:
    """Kind of alarm, or ""."""
    if chain.content_of(posting) != row["content"] or row["posting_id"] != posting.posting_id:
        return "posting_invalid"
    return "posting_reused" if posting.posting_id in books.posting_ids else ""


def verdict_fault(books: Books, row: Row, posting: Posting, keys: Keys, at_ms: int) -> str:
    """As it was at the time of posting: a verdict lives for a minute, the books for ever."""
    if row["verdict"] is None:
        return "verdict_missing" if needs_verdict(posting) else ""
    try:
        signed = chain.verdict_of(row["verdict"])
    except msgspec.MsgspecError:
        return "verdict_invalid"
    if signed.verdict.verdict_id != row["verdict_id"]:
        return "verdict_invalid"
    if verdict.fault(signed, posting, keys, at_ms):
        return "verdict_invalid"
    if row["verdict_id"] in books.verdict_ids:
        return "verdict_reused"
    # Well signed, but never given: somebody else has the key.
    return "" if row["verdict_id"] in books.decided else "verdict_unknown"


def effects_of(books: Books, posting: Posting) -> list[Effect] | None:
    """None where a transfer ends a hold that does not stand, or an account does not exist."""
    out = []
    for transfer in posting.transfers:
        debit, credit = account_key(transfer.debit), account_key(transfer.credit)
        held = _held(books, transfer, debit, credit)
        if held is None or not _usable(books, (debit, credit), posting.currency):
            return None
        moved = transfer.amount_fen if transfer.op in (Op.MOVE, Op.CAPTURE) else 0
        out.append(Effect(debit, credit, moved, held))
    return out


def transfers_fault(seq: int, posting: Posting, transfers: Rows) -> str:
    """Takes the posting's transfers out of `transfers`."""
    fault = ""
    for line, transfer in enumerate(posting.transfers):
        row = transfers.pop((seq, line), None)
        if row is None or (
            row["debit"] != account_key(transfer.debit)
            or row["credit"] != account_key(transfer.credit)
            or row["amount_fen"] != transfer.amount_fen
            or row["op"] != transfer.op
            or (row["hold_id"] or "") != transfer.hold_id
        ):
            fault = "transfer_wrong"
    return fault


def entries_fault(books: Books, seq: int, effects: list[Effect], entries: Rows) -> str:
    """Takes the posting's entries out of `entries`, and moves on what tx must show."""
    fault = ""
    for line, effect in enumerate(effects):
        books.touch(effect.debit).tx_held_fen += effect.held_fen
        if not effect.moved_fen:
            continue
        for key, other, amount in (
            (effect.debit, effect.credit, -effect.moved_fen),
            (effect.credit, effect.debit, effect.moved_fen),
        ):
            account = books.touch(key)
            account.tx_posted_fen += amount
            account.tx_entry_seq += 1
            row = entries.pop((key, account.tx_entry_seq), None)
            if row is None or (
                row["journal_seq"] != seq
                or row["line"] != line
                or row["counterparty"] != other
                or row["amount_fen"] != amount
                or row["balance_fen"] != account.tx_posted_fen
            ):
                fault = "entry_wrong"
    return fault


def adopt(books: Books, seq: int, posting: Posting, effects: list[Effect]) -> str:
    """Move the auditor's own balances on; "floor_broken" and nothing moved if they don't allow."""
    posted: dict[int, int] = {}
    held: dict[int, int] = {}
    for debit, credit, moved, holding in effects:
        posted[debit] = posted.get(debit, 0) - moved
        posted[credit] = posted.get(credit, 0) + moved
        held[debit] = held.get(debit, 0) + holding
    for key, change in posted.items():
        account = books.accounts[key]
        left = account.posted_fen + change - account.held_fen - held.get(key, 0)
        # An account whose right balance is short already may still take money in.
        if account.floor_fen is not None and left < account.floor_fen and _spends(key, effects):
            return "floor_broken"
    for key, change in posted.items():
        account = books.accounts[key]
        account.posted_fen += change
        account.held_fen += held.get(key, 0)
        account.entry_seq += sum(key in effect[:2] for effect in effects if effect.moved_fen)
    for transfer in posting.transfers:
        if transfer.op is not Op.MOVE:
            _turn_hold(books, seq, transfer)
    return ""


def _spends(key: int, effects: list[Effect]) -> bool:
    return any(e.debit == key and (e.moved_fen or e.held_fen > 0) for e in effects)


def _usable(books: Books, keys: tuple[int, int], currency: str) -> bool:
    return keys[0] != keys[1] and all(
        (account := books.accounts.get(key)) is not None and account.currency == currency
        for key in keys
    )


def _held(books: Books, transfer: Transfer, debit: int, credit: int) -> int | None:
    """The change of the held amount; None where the hold does not allow it."""
    if transfer.op is Op.MOVE:
        return 0
    hold = books.holds.get(transfer.hold_id)
    if transfer.op is Op.HOLD:
        return transfer.amount_fen if hold is None else None
    if hold is None or hold.ended_seq is not None or (hold.debit, hold.credit) != (debit, credit):
        return None
    exact = transfer.op is Op.VOID  # a void is of the whole, a capture may be of less
    if transfer.amount_fen > hold.amount_fen or (exact and transfer.amount_fen != hold.amount_fen):
        return None
    return -hold.amount_fen


def _turn_hold(books: Books, seq: int, transfer: Transfer) -> None:
    if transfer.op is Op.HOLD:
        books.holds[transfer.hold_id] = Hold(
            transfer.hold_id,
            account_key(transfer.debit),
            account_key(transfer.credit),
            transfer.amount_fen,
            transfer.deadline_ms * 1000,
            seq,
        )
    else:
        hold = books.holds[transfer.hold_id]
        hold.ended_seq = seq
        hold.captured_fen = transfer.amount_fen if transfer.op is Op.CAPTURE else 0
    books.changed_holds.add(transfer.hold_id)
    books.turned.add(transfer.hold_id)
