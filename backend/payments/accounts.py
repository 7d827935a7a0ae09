"""Which accounts people own in the books: opening them, and freezing them in step with risk."""

from contextlib import suppress

import msgspec
import structlog

from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.ledger import NewAccount
from backend.payments.intents import FEE_ACCOUNT, person_account, shop_account
from backend.payments.parts import Parts, risk_at_hand
from backend.risk import FreezeState

COMPANY_ACCOUNTS = ("bank:clearing", FEE_ACCOUNT)
COMPANY = "company"
MAX_SWEPT = 200

_log = structlog.get_logger(__name__)


class _Account(msgspec.Struct, frozen=True):
    account_id: str
    person_id: str
    opened: bool
    frozen: bool
    frozen_in_books: bool


class Accounts:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def open_wallet(self, person_id: str) -> None:
        await self._want(person_account(person_id), person_id)

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        await self._want(shop_account(shop_id), owner_id)

    async def open_company(self) -> None:
        for account_id in COMPANY_ACCOUNTS:
            await self._want(account_id, COMPANY)

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        with risk_at_hand():
            state = await self._parts.risk.freeze(person_id, device_secret)
        accounts = await TX.query_as(
            _Account,
            "update payments.account set frozen = true where person_id = $1 returning *",
            person_id,
        )
        for account in accounts:
            with suppress(Unavailable, OutcomeUnknown):
                await self._freeze_in_books(account)
        return state

    async def sweep(self) -> int:
        """Bring the books in step: open what is not open, freeze and thaw."""
        due = await TX.query_as(
            _Account,
            "select * from payments.account where not opened or frozen or frozen_in_books"
            " order by account_id limit $1",
            MAX_SWEPT,
        )
        return sum([await self._in_step(account) for account in due])

    async def _in_step(self, account: _Account) -> bool:
        """Whether anything had to be done."""
        try:
            if not account.opened:
                await self._open(account.account_id)
                return True
            if account.frozen:
                return await self._thaw_or_freeze(account)
            await self._thaw_in_books(account)
        except DomainError as error:
            _log.warning("account_not_in_step", account_id=account.account_id, code=error.code)
            return False
        return True

    async def _thaw_or_freeze(self, account: _Account) -> bool:
        state = await self._parts.risk.freeze_state(account.person_id)
        if not state.frozen:
            await TX.query(
                "update payments.account set frozen = false where account_id = $1",
                account.account_id,
            )
            await self._thaw_in_books(account)
        elif not account.frozen_in_books:
            await self._freeze_in_books(account)
        return not state.frozen or not account.frozen_in_books

    async def _want(self, account_id: str, person_id: str) -> None:
        """Noted first, then opened: what the ledger does not answer now, the sweeper repeats."""
        await TX.query(
            "insert into payments.account (account_id, person_id) values ($1, $2)"
            " on conflict do nothing",
            account_id,
            person_id,
        )
        with suppress(Unavailable, OutcomeUnknown):
            await self._open(account_id)

    async def _open(self, account_id: str) -> None:
        floor = None if account_id in COMPANY_ACCOUNTS else 0
        await self._parts.ledger.open_accounts((NewAccount(account_id, floor),))
        await TX.query(
            "update payments.account set opened = true where account_id = $1 and not opened",
            account_id,
        )

    async def _freeze_in_books(self, account: _Account) -> None:
        await self._parts.ledger.set_frozen((account.account_id,), True)
        await self._note_books(account, frozen=True)

    async def _thaw_in_books(self, account: _Account) -> None:
        await self._parts.ledger.set_frozen((account.account_id,), False)
        await self._note_books(account, frozen=False)

    async def _note_books(self, account: _Account, *, frozen: bool) -> None:
        await TX.query(
            "update payments.account set frozen_in_books = $2 where account_id = $1",
            account.account_id,
            frozen,
        )
