"""Stores and terminals, and the static code that each terminal has."""

from datetime import datetime

from backend import ids
from backend.clock import Clock
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.merchant import (
    MAX_STORES,
    MAX_TERMINALS,
    Seat,
    ShopClosed,
    StaticCode,
    Store,
    Terminal,
    TooMany,
    short_codes,
)
from backend.merchant import acts as told
from backend.merchant.guard import need_store
from backend.shop_roles import Permission

MAX_ADDRESS = 100  # characters
SHORT_CODE_TRIES = 32  # of ten million; each fails by chance only

_NAMES = """
select store_id as id, name, created_at as since from merchant.store
where shop_id = $1 and ($2 = '' or store_id = $2)
union all
select terminal_id, name, created_at from merchant.terminal
where shop_id = $1 and ($2 = '' or store_id = $2)
union all
select person_id, name, joined_at from merchant.member where shop_id = $1 and $3
order by since, id
"""
_PLACE = """
select coalesce((select name from merchant.store where store_id = $1), '') as store,
    coalesce((select name from merchant.terminal where terminal_id = $2), '') as terminal
"""
_STORE = "store_id, shop_id, name, address, closed, created_at"
_TERMINAL = "terminal_id, store_id, shop_id, name, code_id, short_code, closed, created_at"


class Stores:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def names(self, seat: Seat) -> dict[str, str]:
        """In the order of being opened or of joining; who has left keeps their name."""
        people = Permission.STAFF in seat.permissions
        rows = await TX.query(_NAMES, seat.shop_id, seat.store_id, people)
        return {row["id"]: row["name"] for row in rows}

    async def stores(self, seat: Seat) -> tuple[Store, ...]:
        found = await TX.query_as(
            Store,
            f"select {_STORE} from merchant.store"  # noqa: S608
            " where shop_id = $1 and ($2 = '' or store_id = $2) order by created_at, store_id",
            seat.shop_id,
            seat.store_id,
        )
        return tuple(found)

    async def terminals(self, seat: Seat, store_id: str) -> tuple[Terminal, ...]:
        if store_id:
            need_store(seat, store_id)
        found = await TX.query_as(
            Terminal,
            f"select {_TERMINAL} from merchant.terminal"  # noqa: S608
            " where shop_id = $1 and ($2 = '' or store_id = $2) order by created_at, terminal_id",
            seat.shop_id,
            store_id or seat.store_id,
        )
        return tuple(found)

    async def open_store(self, seat: Seat, store_id: str, name: str, address: str) -> Store:
        """With a first terminal, as the first store has one."""
        if len(address) > MAX_ADDRESS:
            raise BadRequest()
        now = self._clock.now()
        async with TX.transaction():
            if await _find_store(store_id) is None:
                await _check_stores(seat.shop_id)
                if await insert_store(store_id, seat.shop_id, name, address, now):
                    await insert_terminal(ids.new("trm"), store_id, seat.shop_id, "01", now)
                    await told.tell(seat.shop_id, seat.person_id, "store_opened", store_id, now)
        store = await _find_store(store_id)
        assert store is not None, "it was inserted above or before"
        if (store.shop_id, store.name, store.address) != (seat.shop_id, name, address):
            raise IdReused()
        return store

    async def change_store(self, seat: Seat, store_id: str, name: str, closed: bool) -> Store:
        async with TX.transaction():
            old = await TX.one(
                Store,
                f"select {_STORE} from merchant.store"  # noqa: S608
                " where store_id = $1 and shop_id = $2 for no key update",
                store_id,
                seat.shop_id,
            )
            if old is None:
                raise NotFound()
            await TX.query(
                "update merchant.store set name = $2, closed = $3 where store_id = $1",
                store_id,
                name,
                closed,
            )
            await self._tell_change(seat, "store", store_id, (old.name, old.closed), (name, closed))
        store = await _find_store(store_id)
        assert store is not None, "stores are never deleted"
        return store

    async def open_terminal(
        self, seat: Seat, terminal_id: str, store_id: str, name: str
    ) -> Terminal:
        store = await _find_store(store_id)
        if store is None or store.shop_id != seat.shop_id:
            raise NotFound()
        now = self._clock.now()
        async with TX.transaction():
            if await _find_terminal(terminal_id) is None:
                await _check_terminals(store_id)
                if await insert_terminal(terminal_id, store_id, seat.shop_id, name, now):
                    kind = "terminal_opened"
                    await told.tell(seat.shop_id, seat.person_id, kind, terminal_id, now)
        terminal = await _find_terminal(terminal_id)
        assert terminal is not None, "it was inserted above or before"
        if (terminal.store_id, terminal.name) != (store_id, name):
            raise IdReused()
        return terminal

    async def change_terminal(
        self, seat: Seat, terminal_id: str, name: str, closed: bool
    ) -> Terminal:
        async with TX.transaction():
            old = await TX.one(
                Terminal,
                f"select {_TERMINAL} from merchant.terminal"  # noqa: S608
                " where terminal_id = $1 and shop_id = $2 for no key update",
                terminal_id,
                seat.shop_id,
            )
            if old is None:
                raise NotFound()
            await TX.query(
                "update merchant.terminal set name = $2, closed = $3 where terminal_id = $1",
                terminal_id,
                name,
                closed,
            )
            before, after = (old.name, old.closed), (name, closed)
            await self._tell_change(seat, "terminal", terminal_id, before, after)
        terminal = await _find_terminal(terminal_id)
        assert terminal is not None, "terminals are never deleted"
        return terminal

    async def static_code(self, code_id: str) -> StaticCode:
        found = await TX.one(
            StaticCode,
            "select t.code_id, t.short_code, t.shop_id, s.owner_id, s.name as shop_name,"
            " s.verified, t.store_id, o.name as store_name, t.terminal_id, t.name as terminal_name,"
            " s.status = 'open' and not o.closed and not t.closed as open"
            " from merchant.terminal as t join merchant.store as o using (store_id)"
            " join merchant.shop as s on s.shop_id = t.shop_id"
            " where case when length($1) = 8 then t.short_code else t.code_id end = $1",
            code_id,
        )
        if found is None:
            raise NotFound()
        return found

    async def place(self, store_id: str, terminal_id: str) -> tuple[str, str]:
        [row] = await TX.query(_PLACE, store_id, terminal_id)
        return row["store"], row["terminal"]

    async def till(self, seat: Seat, terminal_id: str) -> Terminal | None:
        """The terminal that a cashier stands at, None where none was named. Refuses: NotFound,
        ShopClosed."""
        terminal = await _find_terminal(terminal_id) if terminal_id else None
        if terminal_id and (terminal is None or terminal.shop_id != seat.shop_id):
            raise NotFound()
        if terminal is not None:
            need_store(seat, terminal.store_id)
        store = await self.check_known(seat, terminal.store_id if terminal else seat.store_id)
        if (terminal is not None and terminal.closed) or (store is not None and store.closed):
            raise ShopClosed()
        return terminal

    async def check_known(self, seat: Seat, store_id: str) -> Store | None:
        """The store, None for "" (every store). Refuses: NotFound (of another shop)."""
        store = await _find_store(store_id) if store_id else None
        if store_id and (store is None or store.shop_id != seat.shop_id):
            raise NotFound()
        return store

    async def _tell_change(
        self,
        seat: Seat,
        what: str,
        ref: str,
        before: tuple[str, bool],
        after: tuple[str, bool],
    ) -> None:
        now = self._clock.now()
        if before[0] != after[0]:
            await told.tell(seat.shop_id, seat.person_id, f"{what}_renamed", ref, now)
        if before[1] != after[1]:
            kind = f"{what}_closed" if after[1] else f"{what}_reopened"
            await told.tell(seat.shop_id, seat.person_id, kind, ref, now)


async def insert_store(store_id: str, shop_id: str, name: str, address: str, at: datetime) -> bool:
    """False where the id is taken."""
    made = await TX.query(
        "insert into merchant.store (store_id, shop_id, name, address, created_at)"
        " values ($1, $2, $3, $4, $5) on conflict do nothing returning store_id",
        store_id,
        shop_id,
        name,
        address,
        at,
    )
    return bool(made)


async def insert_terminal(
    terminal_id: str, store_id: str, shop_id: str, name: str, at: datetime
) -> bool:
    """With a code of its own. False where the id is taken."""
    for _ in range(SHORT_CODE_TRIES):
        made = await TX.query(
            "insert into merchant.terminal"
            " (terminal_id, store_id, shop_id, name, code_id, short_code, created_at)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning terminal_id",
            terminal_id,
            store_id,
            shop_id,
            name,
            ids.new("stc"),
            short_codes.new(),
            at,
        )
        if made or await _find_terminal(terminal_id) is not None:
            return bool(made)
    raise TooMany(limit=10**7)


async def _find_store(store_id: str) -> Store | None:
    return await TX.one(
        Store,
        f"select {_STORE} from merchant.store where store_id = $1",  # noqa: S608
        store_id,
    )


async def _find_terminal(terminal_id: str) -> Terminal | None:
    return await TX.one(
        Terminal,
        f"select {_TERMINAL} from merchant.terminal where terminal_id = $1",  # noqa: S608
        terminal_id,
    )


async def _check_stores(shop_id: str) -> None:
    """Counted under the shop's lock. Refuses: TooMany."""
    await TX.query("select from merchant.shop where shop_id = $1 for no key update", shop_id)
    [row] = await TX.query("select count(*) from merchant.store where shop_id = $1", shop_id)
    if row["count"] >= MAX_STORES:
        raise TooMany(limit=MAX_STORES)


async def _check_terminals(store_id: str) -> None:
    """Counted under the store's lock. Refuses: TooMany."""
    await TX.query("select from merchant.store where store_id = $1 for no key update", store_id)
    [row] = await TX.query("select count(*) from merchant.terminal where store_id = $1", store_id)
    if row["count"] >= MAX_TERMINALS:
        raise TooMany(limit=MAX_TERMINALS)
