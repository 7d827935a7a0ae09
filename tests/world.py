"""A small world on real systems: ledger and risk with faults to switch on, people with money.

world = await stack.enter_async_context(open_world(settings))
anna = await world.person(balance=100_00)
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec

from backend import ids, keys, ledger, risk, rpc, services
from backend.bankword import BankStatement, message
from backend.clock import FixedClock, to_ms
from backend.errors import OutcomeUnknown, Unavailable
from backend.identity import NewPerson
from backend.intent import Intent
from backend.keys import FileSigner
from backend.ledger import Ledger, NewAccount, Post
from backend.ledger.service import LedgerService, running
from backend.merchant import Change, Charge, Invite, OpenShop, Seat, Shop
from backend.payments import Order, StartPayment
from backend.posting import Posting, Transfer
from backend.risk import (
    Approval,
    AuthorizeTopUp,
    BankWord,
    BeginRegistration,
    Ceremony,
    CheckCode,
    FinishRegistration,
    Risk,
    StartEnrolment,
)
from backend.risk import service as risk_service
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Role
from tests.passkey import Passkey

PATIENCE = timedelta(hours=13)  # after which a new device is trusted


class Crash(Exception):
    """The process died here: nothing of ours may catch it."""


class Line:
    """The line to another system. `down`, `slow_s`, or by method: `crash_before`, `crash_after`,
    and `lost` (the call is carried out and its answer drops)."""

    def __init__(self, real: object) -> None:
        self._real = real
        self.down = False
        self.slow_s = 0.0
        self.lost: set[str] = set()
        self.crash_before: set[str] = set()
        self.crash_after: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any) -> Any:
            self.calls.append(name)
            if self.slow_s:
                await asyncio.sleep(self.slow_s)
            if self.down:
                raise Unavailable()
            if name in self.crash_before:
                raise Crash(f"before {name}")
            answer = await getattr(self._real, name)(*args)
            if name in self.lost:
                raise OutcomeUnknown()
            if name in self.crash_after:
                raise Crash(f"after {name}")
            return answer

        return call

    def lead_to(self, real: object) -> None:
        """By another way, to the same system."""
        self._real = real

    @property
    def end(self) -> object:
        return self._real

    def heal(self) -> None:
        self.down, self.slow_s = False, 0.0
        for faults in (self.lost, self.crash_before, self.crash_after):
            faults.clear()


class SmsBox:
    """The phones of everybody."""

    def __init__(self) -> None:
        self.codes: dict[str, str] = {}

    async def send(self, message_id: str, to: str, text: str) -> None:
        found = re.search(r"\d{6}", text)
        assert found is not None
        self.codes[to] = found[0]


class Wallet(msgspec.Struct, kw_only=True):
    """A person with a device in hand."""

    person_id: str
    device_secret: str
    passkey: Passkey
    account_id: str


class World(msgspec.Struct, kw_only=True):
    settings: Settings
    clock: FixedClock
    books: LedgerService
    ledger: Line
    risk: Line
    sms: SmsBox
    bank: FileSigner
    services: Services

    async def person(
        self, balance: int = 0, *, name: str = "安娜", trusted: bool = True, synced: bool = False
    ) -> Wallet:
        """Signed up as everybody is: code, passkey, wallet. The money comes from the bank."""
        person_id, phone = ids.new("usr"), f"+86138{secrets.randbelow(10**8):08d}"
        passkey, face = Passkey(synced=synced), self.services.risk
        enrolment_id = ids.new("enr")
        await face.start_enrolment(StartEnrolment(enrolment_id, phone, secrets.token_hex(8)))
        await face.check_code(CheckCode(enrolment_id, self.sms.codes[phone]))
        ceremony = await face.begin_registration(
            BeginRegistration(person_id, name, enrolment_id=enrolment_id)
        )
        response = passkey.register(ceremony.options_json)
        enrolled = await face.finish_registration(
            FinishRegistration(ceremony.ceremony_id, response, "test", enrolment_id=enrolment_id)
        )
        await self.services.identity.create_person(
            NewPerson(person_id=person_id, phone=phone, display_name=name)
        )
        await self.services.payments.open_wallet(person_id)
        if trusted:
            self.clock.move(PATIENCE)
        wallet = Wallet(
            person_id=person_id,
            device_secret=enrolled.device_secret,
            passkey=passkey,
            account_id=f"person:{person_id}",
        )
        if balance:
            await self.fund(wallet, balance)
        return wallet

    async def fund(self, wallet: Wallet, amount_fen: int) -> None:
        """Money from a bank that says so in a signed word."""
        topup_id = ids.new("top")
        arrival = Posting(
            f"{topup_id}:in", "arrival", (Transfer("bank:clearing", "bank:transit", amount_fen),)
        )
        await self.books.post(Post(arrival))
        credit = Posting(
            topup_id, "topup", (Transfer("bank:transit", wallet.account_id, amount_fen),)
        )
        now_ms = to_ms(self.clock.now())
        intent = Intent(
            intent_id=topup_id,
            kind="topup",
            payer_id="bank",
            payee_id=wallet.person_id,
            payee_name="易支付",
            amount_fen=amount_fen,
            fee_fen=0,
            source="bank:transit",
            code="none",
            posting=credit,
            expires_at_ms=now_ms + 60_000,
            nonce=secrets.token_bytes(32),
        )
        said = message(BankStatement(topup_id, wallet.person_id, amount_fen, "CNY", "paid", now_ms))
        word = BankWord(said, self.bank.key_id, self.bank.sign(said))
        verdict = await self.services.risk.authorize_top_up(AuthorizeTopUp(intent, word))
        await self.books.post(Post(credit, verdict))

    async def shop(self, owner: Wallet, name: str = "老王面馆", *, fees: bool = False) -> Shop:
        """A shop of the owner's, who takes its seat. It pays no fees, unless they are the point."""
        shop = await self.services.merchant.open_shop(
            OpenShop(
                shop_id=ids.new("mch"),
                owner_id=owner.person_id,
                name=name,
                category="food",
                device_secret=owner.device_secret,
            )
        )
        if not fees:
            await self.fee(shop, bps=0)
        return shop

    async def fee(self, shop: Shop, *, bps: int, product: str = "", since: str = "-1 day") -> None:
        """A line of the schedule, written by who may."""
        owner = await asyncpg.connect(self.settings.tx_owner_url)
        await owner.execute(
            "insert into payments.fee (shop_id, product, since, bps)"
            " values ($1, $2, $3::timestamptz + $4::text::interval, $5)",
            shop.shop_id,
            product,
            self.clock.now(),
            since,
            bps,
        )
        await owner.close()

    async def seat(self, shop: Shop) -> Seat:
        """The owner's."""
        return await self.services.merchant.take_seat(shop.owner_id, shop.shop_id)

    async def hire(self, owner: Wallet, member: Wallet, role: Role, store_id: str = "") -> Seat:
        """Invited by the owner, joined with the member's own passkey."""
        merchant = self.services.merchant
        invited = await merchant.invite(
            await merchant.seat(owner.person_id), await self.inviting(owner, role, store_id)
        )
        return await merchant.join(await self.joining(member, invited.secret), invited.secret)

    async def inviting(
        self, owner: Wallet, role: Role = Role.CASHIER, store_id: str = ""
    ) -> Invite:
        """Signed with the owner's passkey."""
        merchant = self.services.merchant
        seat = await merchant.seat(owner.person_id)
        return Invite(
            invitation_id=ids.new("inv"),
            role=role,
            store_id=store_id,
            device_secret=owner.device_secret,
            approval=signed(owner, await merchant.begin_inviting(seat, role, store_id)),
        )

    async def changing(
        self, by: Wallet, member_id: str, role: Role | None, store_id: str = ""
    ) -> Change:
        """Signed with the passkey of who changes."""
        merchant = self.services.merchant
        seat = await merchant.seat(by.person_id)
        return Change(
            member_id=member_id,
            role=role,
            store_id=store_id,
            device_secret=by.device_secret,
            approval=signed(by, await merchant.begin_changing(seat, member_id, role, store_id)),
        )

    async def joining(self, member: Wallet, secret: str) -> Approval:
        """The member's word that they join."""
        ceremony = await self.services.merchant.begin_joining(member.person_id, secret)
        return signed(member, ceremony)

    async def order(self, shop: Shop, amount_fen: int = 23_00) -> Order:
        """A code that the owner shows."""
        charge = Charge(order_id=ids.new("ord"), amount_fen=amount_fen)
        return await self.services.merchant.charge(await self.seat(shop), charge)

    def paying(self, wallet: Wallet, order: Order, **changes: Any) -> StartPayment:
        plain = StartPayment(
            payment_id=ids.new("pay"),
            order_id=order.order_id,
            payer_id=wallet.person_id,
            amount_fen=order.amount_fen,
            device_secret=wallet.device_secret,
        )
        return msgspec.structs.replace(plain, **changes)

    async def balance(self, account_id: str) -> int:
        [found] = await self.books.balances((account_id,))
        return found.posted_fen

    def later(self, **by: float) -> None:
        self.clock.move(timedelta(**by))


def signed(wallet: Wallet, ceremony: Ceremony) -> Approval:
    response = wallet.passkey.sign(ceremony.options_json)
    return Approval(wallet.person_id, ceremony.ceremony_id, response)


@asynccontextmanager
async def open_world(settings: Settings, *, form: str = "local") -> AsyncIterator[World]:
    """Needs the `databases` fixture. form "remote": ledger and risk answer over their sockets."""
    clock = FixedClock(datetime.now(UTC))  # noqa: TID251 — near the databases' own clock
    bank, sms = FileSigner(Path(settings.keys_dir), "bank"), SmsBox()
    keys.publish(Path(settings.bank_keys), bank)
    decider = risk_service.build(settings, clock, sms, audited=False)
    async with AsyncExitStack() as stack:
        books = await stack.enter_async_context(running(settings, clock))
        ledger_face, risk_face = cast(Ledger, books), cast(Risk, decider)
        if form == "remote":
            ledger_face = await _across(stack, ledger.Ledger, books, settings.ledger_rpc, settings)
            risk_face = await _across(stack, risk.Risk, decider, settings.risk_rpc, settings)
        to_ledger, to_risk = Line(ledger_face), Line(risk_face)
        built, close = await services.build(
            settings, clock=clock, ledger=cast(Ledger, to_ledger), risk=cast(Risk, to_risk)
        )
        stack.push_async_callback(close)
        await books.open_accounts((NewAccount("bank:clearing", None), NewAccount("bank:transit")))
        yield World(
            settings=settings,
            clock=clock,
            books=books,
            ledger=to_ledger,
            risk=to_risk,
            sms=sms,
            bank=bank,
            services=built,
        )


async def _across(
    stack: AsyncExitStack, face: Any, service: object, address: str, settings: Settings
) -> Any:
    stack.push_async_callback(await rpc.serve(face, service, address, settings))
    remote, client = rpc.connect(face, address, settings)
    stack.push_async_callback(client.close)
    return remote
