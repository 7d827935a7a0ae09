"""The big shop itself: its owner, stores, tills and payers, with the money they will spend."""

import asyncio
from datetime import datetime
from hashlib import sha256

from backend.banking.rules import BANK_ACCOUNTS
from backend.bills import Bill
from backend.clock import to_ms
from backend.db import TX
from backend.demo.big_books import TELLABLE, Shop
from backend.demo.big_year import PAYERS, TILLS
from backend.demo.people import DemoPerson, fixed_id
from backend.identity import NewPerson
from backend.intent import Intent
from backend.ledger import Post
from backend.merchant import OpenShop, Seat, Terminal
from backend.posting import Posting, Transfer
from backend.risk.demo import RiskDemo
from backend.risk.demo_history import Told
from backend.services import Services

NAME, CATEGORY = "易茶大铺", "food"
DEVICE = "演示设备"
STORES = ("南京路店", "外滩店")  # besides the first one, which has the shop's name
MEAN_MAX_FEN = 80_00  # no payer spends more for each order that is theirs on average
RESERVE_FEN = 10_000_00
FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
GIVEN = "安宁嘉怡子轩雨桐思远"
TOGETHER = 20  # people made at once


def owner_of(orders: int) -> DemoPerson:
    """Each size of year is a shop of its own, so that no year is told in two ways."""
    name = f"big-{orders}"
    return DemoPerson(name, "演示店主 大茶", _phone(name))


def payers_of(orders: int) -> list[DemoPerson]:
    names = [f"big-{orders}/payer/{number}" for number in range(PAYERS)]
    return [DemoPerson(name, _name(number), _phone(name)) for number, name in enumerate(names)]


async def open_big_shop(to: Services, risk: RiskDemo, orders: int) -> tuple[Shop, datetime]:
    """Once; the second answer is the moment that the year ends before."""
    owner, shop_id = owner_of(orders), fixed_id("mch", f"big-{orders}")
    made = await to.identity.create_person(_new(owner))
    enrolled = await risk.demo_enrol(owner.person_id, owner.display_name, owner.phone, DEVICE)
    await to.payments.open_wallet(owner.person_id)
    await to.merchant.open_shop(
        OpenShop(
            shop_id=shop_id,
            owner_id=owner.person_id,
            name=NAME,
            category=CATEGORY,
            device_secret=enrolled.device_secret,
        )
    )
    seat = await to.merchant.take_seat(owner.person_id, shop_id)
    payers = payers_of(orders)
    await to.ledger.open_accounts(BANK_ACCOUNTS)
    for start in range(0, PAYERS, TOGETHER):
        some = payers[start : start + TOGETHER]
        await asyncio.gather(*(_payer(to, person) for person in some))
        await _fund(to, risk, some, orders, made.created_at)
    shop = Shop(
        seat=seat,
        tills=await _tills(to, seat, orders),
        payers=tuple((person.person_id, person.display_name) for person in payers),
        fees={rule.product: rule for rule in await to.payments.fees(shop_id)},
    )
    return shop, made.created_at


async def _payer(to: Services, person: DemoPerson) -> None:
    await to.identity.create_person(_new(person))
    await to.payments.open_wallet(person.person_id)


async def _fund(
    to: Services, risk: RiskDemo, people: list[DemoPerson], orders: int, at: datetime
) -> None:
    """A year's spending in one sum, from the bank; more than a top-up may be of."""
    amount_fen = RESERVE_FEN + orders * MEAN_MAX_FEN // PAYERS
    intents = [_money(person, amount_fen, at) for person in people]
    for intent in intents:
        came = (Transfer("bank:clearing", "bank:transit", amount_fen),)
        await to.ledger.post(Post(Posting(f"{intent.intent_id}:in", "arrival", came)))
    verdicts = await risk.demo_allow(tuple(Told(intent) for intent in intents))
    for intent, verdict in zip(intents, verdicts, strict=True):
        await to.ledger.post(Post(intent.posting, verdict))
    async with TX.transaction():
        await to.bills.record(tuple(_topped_up(intent, at) for intent in intents))


def _money(person: DemoPerson, amount_fen: int, at: datetime) -> Intent:
    topup_id = fixed_id("top", person.name)
    transfers = (Transfer("bank:transit", f"person:{person.person_id}", amount_fen),)
    return Intent(
        intent_id=topup_id,
        kind="topup",
        payer_id="bank",
        payee_id=person.person_id,
        payee_name=person.display_name,
        amount_fen=amount_fen,
        fee_fen=0,
        source="bank:transit",
        code="none",
        posting=Posting(topup_id, "topup", transfers),
        expires_at_ms=to_ms(at + TELLABLE),
        nonce=sha256(topup_id.encode()).digest(),
    )


def _topped_up(intent: Intent, at: datetime) -> Bill:
    return Bill(
        person_id=intent.payee_id,
        bill_id=intent.intent_id,
        kind="topup",
        direction="in",
        counterparty="",
        amount_fen=intent.amount_fen,
        status="succeeded",
        event_at=at,
        settled_at=at,
    )


async def _tills(to: Services, seat: Seat, orders: int) -> tuple[Terminal, ...]:
    """Two in each store: one comes with it."""
    for name in STORES:
        await to.merchant.open_store(seat, fixed_id("sto", f"big-{orders}/{name}"), name, "上海")
    for number, store in enumerate(await to.merchant.stores(seat)):
        terminal_id = fixed_id("trm", f"big-{orders}/{number}")
        await to.merchant.open_terminal(seat, terminal_id, store.store_id, "02")
    terminals = await to.merchant.terminals(seat)
    assert len(terminals) == TILLS, "every store comes with one till"
    return tuple(sorted(terminals, key=lambda terminal: terminal.created_at))


def _new(person: DemoPerson) -> NewPerson:
    return NewPerson(
        person_id=person.person_id,
        phone=person.phone,
        display_name=person.display_name,
        demo=True,
    )


def _phone(name: str) -> str:
    return f"+86139{int.from_bytes(sha256(name.encode()).digest()[:8], 'big') % 10**8:08d}"


def _name(number: int) -> str:
    family, given = divmod(number, len(GIVEN))
    return FAMILY[family % len(FAMILY)] + GIVEN[given]
