"""The signed receipt of a bill: found in the books, for those whose bill it is."""

from collections.abc import AsyncIterator
from pathlib import Path

from backend import chain, keys, receipt
from backend.bills import Bill
from backend.errors import NotFound
from backend.ledger import MAX_PAGE, Entry, Sealed
from backend.receipt import Receipt
from backend.services import Services
from backend.settings import Settings


async def receipt_of(services: Services, person_id: str, bill_id: str) -> Receipt:
    """Refuses: NotFound (also while it is under way, and of what moved nobody's money)."""
    bill = await services.bills.bill(person_id, bill_id)
    if bill.status != "succeeded":
        raise NotFound()
    sealed = await _sealed_of(services, bill)
    if sealed is None or sealed.verdict is None:
        raise NotFound()
    intent = await services.risk.sealed_intent(sealed.posted.posting_id)
    return receipt.write(_account(bill, sealed), sealed.content, intent, sealed.verdict)


async def receipt_of_refund(
    services: Services, person_id: str, bill_id: str, refund_id: str
) -> Receipt:
    """Of what came back. Refuses: NotFound (also to the shop's owner: it is the payer's)."""
    posted = (r for r in await services.payments.refunds(person_id, bill_id) if r.journal_seq)
    found = next((r for r in posted if r.refund_id == refund_id), None)
    if found is None or found.payer_id != person_id:
        raise NotFound()
    sealed = await services.ledger.sealed(refund_id)
    if sealed is None or sealed.verdict is None:
        raise NotFound()
    intent = await services.risk.sealed_intent(refund_id)
    return receipt.write(f"person:{person_id}", sealed.content, intent, sealed.verdict)


def published_keys(settings: Settings) -> dict[str, str]:
    """The security system's public verdict keys, hexadecimal, by key id; old ones too."""
    found = keys.published(Path(settings.verdict_keys))
    return {key_id: key.hex() for key_id, key in found.items()}


async def _sealed_of(services: Services, bill: Bill) -> Sealed | None:
    """The posting that moved the bill's money. Most have the bill's id; what came out of a packet
    or out of money on its way has another, and is found by the pot's own statement."""
    if bill.kind == "packet_in":
        return await _out_of(services, f"packet:{bill.bill_id}", bill)
    sealed = await services.ledger.sealed(bill.bill_id)
    if sealed is None or _touches(sealed, bill):
        return sealed
    [pot, *_] = [t.credit for t in chain.posting_of(sealed.content).transfers]
    return await _out_of(services, pot, bill)


async def _out_of(services: Services, pot: str, bill: Bill) -> Sealed | None:
    account = f"person:{bill.person_id}"
    async for entry in _statement(services, pot):
        if entry.counterparty == account and entry.amount_fen == -bill.amount_fen:
            return await services.ledger.sealed(entry.posting_id)
    return None


async def _statement(services: Services, account: str) -> AsyncIterator[Entry]:
    """Newest first. A pot has few: its shares and what went back."""
    before = 0
    while entries := await services.ledger.statement(account, before, MAX_PAGE):
        for entry in entries:
            yield entry
        before = entries[-1].entry_seq
        if before == 1:
            return


def _touches(sealed: Sealed, bill: Bill) -> bool:
    """What a shop takes in is its own, not its owner's."""
    account = f"person:{bill.person_id}"
    moved = chain.posting_of(sealed.content).transfers
    return bill.kind == "income" or any(account in (t.debit, t.credit) for t in moved)


def _account(bill: Bill, sealed: Sealed) -> str:
    """Whose receipt it is."""
    if bill.kind != "income":
        return f"person:{bill.person_id}"
    return chain.posting_of(sealed.content).transfers[0].credit
