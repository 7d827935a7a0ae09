"""A person's own account in the books."""

from backend.ledger import Balance
from backend.services import Services


async def balance_of(services: Services, person_id: str) -> Balance:
    """Empty while the account isn't open yet. Refuses: Unavailable."""
    account_id = f"person:{person_id}"
    found = await services.ledger.balances((account_id,))
    empty = Balance(account_id, posted_fen=0, held_fen=0, entry_seq=0, frozen=False)
    return found[0] if found else empty
