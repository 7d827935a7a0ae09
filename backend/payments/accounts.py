"""Which accounts people own in the books: opening them, and freezing them in step with risk."""

from contextlib import suppress

import msgspec
import structlog

from backend import ids
from backend.apart import apart
from backend.db import TX
from backend.errors import BadRequest, OutcomeUnknown, Unavailable
from backend.ids import is_id
from backend.ledger import NewAccount
from backend.payments.intents import FEE_ACCOUNT, payee_account, person_account, shop_account
from backend.payments.parts import Parts, risk_at_hand
from backend.payments.rules import is_pot
from backend.risk import FreezeState

COMPANY_ACCOUNTS = ("bank:clearing", FEE_ACCOUNT)
COMPANY = "company"
MAX_SWEPT = 200  # of each kind in a round

# What a round looks at. Each kind by itself and in turns, so that accounts that stay frozen for
# years, or can't be opened, never keep the others waiting. The first two conditions repeat that of
# the index.
_OUT_OF_STEP = "(frozen or frozen_in_books) and frozen <> frozen_in_books"
_FROZEN = "frozen and frozen_in_books"
_UNOPENED = "not opened"
_KINDS = (_UNOPENED, _OUT_OF_STEP, _FROZEN)

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
        self._swept_to = dict.fromkeys(_KINDS, "")  # the last account of the last round

    async def open_wallet(self, person_id: str) -> None:
        await self._want(person_account(person_id), person_id)

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        await self._want(shop_account(shop_id), owner_id)

    async def open_pot(self, account_id: str) -> None:
        pot_id = account_id.partition(":")[2]
        if (
            not is_pot(pot_id)
            or account_id != payee_account(pot_id)
            or not is_id(pot_id, pot_id[:3])
        ):
            raise BadRequest()
        # Its owner's freeze does not reach into it: what is left goes back to them all the same.
        await self._want(account_id, pot_id)

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
        touched = 0
        for kind in _KINDS:
            for account in await self._due(kind):
                touched += await apart(self._in_step(account), False, "account", account.account_id)
        return touched

    async def _due(self, kind: str) -> list[_Account]:
        due = await TX.query_as(
            _Account,
            f"select * from payments.account where {kind} and account_id > $1"  # noqa: S608
            " order by account_id limit $2",
            self._swept_to[kind],
            MAX_SWEPT,
        )
        self._swept_to[kind] = due[-1].account_id if len(due) == MAX_SWEPT else ""
        return due

    async def _in_step(self, account: _Account) -> bool:
        """Whether anything had to be done."""
        if not account.opened:
            await self._open(account.account_id)
            return True
        if account.frozen:
            return await self._thaw_or_freeze(account)
        await self._thaw_in_books(account)
        return True

    async def _thaw_or_freeze(self, account: _Account) -> bool:
        state = await self._parts.risk.freeze_state(account.person_id)
        if not state.frozen:
            await self._thawed(account)
            await self._thaw_in_books(account)
        elif not account.frozen_in_books:
            await self._freeze_in_books(account)
        return not state.frozen or not account.frozen_in_books

    async def _want(self, account_id: str, person_id: str) -> None:
        """Noted first, then opened: what the ledger does not answer now, the sweeper repeats."""
        if await TX.query(
            "select 1 from payments.account where account_id = $1 and opened", account_id
        ):
            return
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
        """Risk is asked once more after the thaw: its owner may have frozen the account meanwhile,
        and the thaw come after that freeze. Noted last: a crash before leaves it to be done again.
        """
        await self._parts.ledger.set_frozen((account.account_id,), False)
        if (await self._parts.risk.freeze_state(account.person_id)).frozen:
            await self._note_frozen(account, frozen=True)
            await self._freeze_in_books(account)
        else:
            await self._note_books(account, frozen=False)

    async def _thawed(self, account: _Account) -> None:
        """The wait is over: the person learns it with the first of us who sees it."""
        async with TX.transaction():
            moved = await TX.query(
                "update payments.account set frozen = false"
                " where account_id = $1 and frozen returning account_id",
                account.account_id,
            )
            if moved and account.account_id == person_account(account.person_id):
                topic = f"person:{account.person_id}"
                await self._parts.events.record(topic, "thawed", ids.new("thw"))

    async def _note_frozen(self, account: _Account, *, frozen: bool) -> None:
        await TX.query(
            "update payments.account set frozen = $2 where account_id = $1",
            account.account_id,
            frozen,
        )

    async def _note_books(self, account: _Account, *, frozen: bool) -> None:
        await TX.query(
            "update payments.account set frozen_in_books = $2 where account_id = $1",
            account.account_id,
            frozen,
        )
