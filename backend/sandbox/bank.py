"""The sandbox bank: an HTTP service of its own, with its own books, key and bad habits.

    POST /cards          card_id, person_id, number, holder       → token, bank_name
    POST /cards/confirm  token, code                              → word: the card is the person's
    POST /orders         order_id, token, person_id, amount_fen   → outcome, reason, word
    POST /orders/end     the same: refuse what is not decided     → the same
    POST /payouts        the same and leave, to the card          → the same; orders/… knows it too
    POST /orders/refund  order_id                                 → {}: it is back on the card
    GET  /orders/{id}                                             → the same, or 404
    GET  /statement.json?last4=…                                  → lines, newest first
    GET  /custody                                                 → total_fen held for the wallet

A refusal is 422 with a reason; the same id with other content 409. Decided orders carry a signed
word, and the same word is posted to the wallet's `/bank/callbacks` until that answers 2xx. Nothing
is paid out without the leave of the wallet's security system, for this very order, and not for
long.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web

from backend import bankleave, keys
from backend.clock import Clock, clock_for, to_ms
from backend.sandbox import bank_book, card_book
from backend.sandbox.accounts import BankRefusal, Db
from backend.sandbox.bank_book import Debit, Order, Pace
from backend.sandbox.bank_callbacks import Courier
from backend.sandbox.card_book import Offer
from backend.sandbox.cards import BANKS, TEST_CARDS, Mode, mode
from backend.sandbox.serving import Stop, forever, listen, page
from backend.sandbox.store import Store
from backend.settings import Settings

CALLBACK_PATH = "/bank/callbacks"
LINES_SHOWN = 50

CarryOut = Callable[[Db, Debit, keys.Signer, Pace, int], Order]

_log = structlog.get_logger(__name__)


class _Code(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    code: str


class _PayOut(Debit, frozen=True, forbid_unknown_fields=True, kw_only=True):
    leave: bankleave.Leave


class _Refund(msgspec.Struct, forbid_unknown_fields=True):
    order_id: str


async def run(settings: Settings) -> None:
    """Serve until cancelled."""
    await forever(await serve(settings))


async def serve(settings: Settings, clock: Clock | None = None, pace: Pace | None = None) -> Stop:
    """Serve at settings.bank_url; returns once it listens. The answer stops it."""
    clock = clock or clock_for(settings)
    signer = keys.FileSigner(settings.path("bank-keys"), "bank")
    keys.publish(Path(settings.bank_keys), signer)
    store = Store(settings.path("bank.sqlite"), bank_book.SCHEMA)
    courier = Courier(store, signer, clock, _callback_address(settings))
    bank = _Bank(store, signer, clock, courier, pace or Pace(), Path(settings.verdict_keys))
    stop_listening = await listen(bank.application(), settings.bank_url)
    running = asyncio.create_task(courier.run())

    async def stop() -> None:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await stop_listening()
        await store.close()

    return stop


def _callback_address(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    return f"http://{host}:{settings.port}{CALLBACK_PATH}"


class _Bank:
    def __init__(  # noqa: PLR0913 — each is another thing
        self,
        store: Store,
        signer: keys.Signer,
        clock: Clock,
        courier: Courier,
        pace: Pace,
        leave_keys: Path,
    ) -> None:
        self._store, self._signer, self._clock = store, signer, clock
        self._courier, self._pace, self._leave_keys = courier, pace, leave_keys

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024, middlewares=[_refusals])
        app.router.add_get("/", self._index)
        app.router.add_get("/statement", self._statement)
        app.router.add_get("/statement.json", self._statement_json)
        app.router.add_get("/custody", self._custody)
        app.router.add_post("/cards", self._offer)
        app.router.add_post("/cards/confirm", self._confirm)
        app.router.add_post("/orders", self._debit)
        app.router.add_post("/payouts", self._pay_out)
        app.router.add_post("/orders/end", self._end)
        app.router.add_post("/orders/refund", self._refund)
        app.router.add_get("/orders/{order_id}", self._find)
        return app

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())

    async def _offer(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=Offer)
        now_ms = self._now_ms()
        card = await self._store.run(lambda db: card_book.offer(db, ask, now_ms))
        return _json({"token": card.token, "bank_name": card.bank_name})

    async def _confirm(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=_Code)
        left = await self._store.run(lambda db: card_book.confirm(db, ask.token, ask.code))
        if left > 0:
            raise BankRefusal("micro_code", left)
        if left < 0:
            raise BankRefusal("micro_code_spent")
        word = await self._store.run(lambda db: card_book.binding(db, ask.token, self._signer))
        return _json({"word": msgspec.Raw(word)})

    async def _debit(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=Debit)
        return await self._order(ask, bank_book.debit)

    async def _pay_out(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=_PayOut)
        order = bankleave.Order(ask.order_id, ask.token, ask.person_id, ask.amount_fen)
        trusted = keys.published(self._leave_keys)
        if fault := bankleave.fault(ask.leave, order, trusted, self._now_ms()):
            _log.error("payout_without_leave", order_id=ask.order_id, fault=fault)
            raise BankRefusal("leave")
        return await self._order(ask, bank_book.pay_out)

    async def _order(self, ask: Debit, carry_out: CarryOut) -> web.Response:
        if await self._store.run(lambda db: bank_book.fault(db, ask)):
            return web.Response(status=500)
        now_ms = self._now_ms()

        def work(db: Db) -> tuple[Order, Mode]:
            card = card_book.card_of(db, ask.token)
            order = carry_out(db, ask, self._signer, self._pace, now_ms)
            return order, mode(card.last4) if card else Mode.NORMAL

        order, kind = await self._store.run(work)
        _log.info("order", order_id=order.order_id, outcome=order.outcome)
        if kind in (Mode.LOST_THEN_PAID, Mode.LOST_THEN_REFUSED):
            await asyncio.sleep(self._pace.hang_s)
            return web.Response(status=504)
        if kind is Mode.EARLY:
            await asyncio.sleep(self._pace.early_s)
        return _answer(order)

    async def _end(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=Debit)
        now_ms = self._now_ms()
        return _answer(
            await self._store.run(lambda db: bank_book.end(db, ask, self._signer, now_ms))
        )

    async def _refund(self, request: web.Request) -> web.Response:
        ask = msgspec.json.decode(await request.read(), type=_Refund)
        now_ms = self._now_ms()
        await self._store.run(lambda db: bank_book.refund(db, ask.order_id, now_ms))
        return _json({})

    async def _find(self, request: web.Request) -> web.Response:
        order_id = request.match_info["order_id"]
        order = await self._store.run(lambda db: bank_book.order_of(db, order_id))
        return web.Response(status=404) if order is None else _answer(order)

    async def _custody(self, request: web.Request) -> web.Response:
        return _json({"total_fen": await self._store.run(bank_book.custody_fen)})

    async def _index(self, request: web.Request) -> web.Response:
        return page("bank.html", cards=TEST_CARDS, banks=BANKS)

    async def _statement(self, request: web.Request) -> web.Response:
        return page("statement.html", lines=await self._store.run(_newest_lines))

    async def _statement_json(self, request: web.Request) -> web.Response:
        last4 = request.query.get("last4", "")
        lines = await self._store.run(lambda db: _newest_lines(db, last4))
        return web.Response(body=msgspec.json.encode(lines), content_type="application/json")


def _newest_lines(db: Db, last4: str = "") -> list[dict[str, Any]]:
    cursor = db.execute(
        "select line.at_ms, line.what, line.amount_fen, card.bank_name, card.last4 from line join "
        "(select account, max(bank_name) bank_name, max(last4) last4 from card group by account) "
        "card using (account) where ?1 in ('', card.last4) order by line_id desc limit ?2",
        (last4, LINES_SHOWN),
    )
    return [dict(row) for row in cursor.fetchall()]


def _answer(order: Order) -> web.Response:
    return _json(
        {
            "outcome": order.outcome,
            "reason": order.reason if order.outcome == "refused" else "",
            "word": msgspec.Raw(order.word) if order.word else None,
        }
    )


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except BankRefusal as refusal:
        status = 409 if refusal.reason == "id_reused" else 422
        return _json({"reason": refusal.reason, "tries_left": refusal.tries_left}, status)
    except msgspec.MsgspecError:
        return _json({"reason": "malformed", "tries_left": 0}, 400)
