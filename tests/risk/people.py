"""People with wallets, passkeys and intents to pay, for tests of the security system."""

import re
import secrets
from datetime import timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend import ids
from backend.bankword import BankStatement, CardStatement, card_message, message
from backend.clock import FixedClock, to_ms
from backend.db import SEC
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.risk import (
    Approval,
    Authorize,
    AuthorizeTopUp,
    BankWord,
    BeginRegistration,
    CheckCode,
    Enrolled,
    FinishRegistration,
    FinishSignIn,
    FoundShop,
    InviteMember,
    Prepare,
    SignedIn,
    StartEnrolment,
)
from backend.risk.demo import RiskWithDemo
from backend.risk.freeze import freeze_accounts
from backend.risk.refusals import SmsUnavailable
from backend.shop_roles import Role
from backend.verdict import SignedVerdict
from tests.passkey import Passkey

SHOP = "mch_01k0000000000000000000000s"
BANK_KEY = Ed25519PrivateKey.generate()
BANK_KEY_ID = "bank+00000001"


class Outbox:
    """A gateway that keeps what it was given; `broken` makes it refuse."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, str]] = []
        self.broken = False

    async def send(self, message_id: str, to: str, text: str) -> None:
        if self.broken:
            raise SmsUnavailable()
        self.messages.append((message_id, to, text))

    def code(self) -> str:
        """Of the newest message."""
        found = re.search(r"\b\d{6}\b", self.messages[-1][2])
        assert found is not None
        return found[0]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def phone() -> str:
    return f"+861{secrets.randbelow(10**10):010d}"


class Person(msgspec.Struct):
    """A wallet on one device. `key` is its passkey."""

    person_id: str
    device_id: str
    secret: str
    phone: str
    key: Passkey


class World:
    """The service in one of its forms, its clock and its outbox."""

    cashier: Person  # who charges in the shop, where a test has one

    def __init__(self, risk: RiskWithDemo, clock: FixedClock, outbox: Outbox) -> None:
        self.risk, self.clock, self.outbox = risk, clock, outbox

    async def prove(self, number: str, address: str = "10.0.0.1") -> str:
        """An enrolment whose code was given."""
        enrolment_id = ids.new("enr")
        await self.risk.start_enrolment(StartEnrolment(enrolment_id, number, address))
        await self.risk.check_code(CheckCode(enrolment_id, self.outbox.code()))
        return enrolment_id

    async def person(self, *, synced: bool = False, number: str = "") -> Person:
        number = number or phone()
        enrolment_id = await self.prove(number, address=secrets.token_hex(8))
        begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
        key = Passkey(synced=synced)
        enrolled = await self.register(begin, key)
        await self.risk.bind_card(card_word(enrolled.person_id))
        return self._person(enrolled, number, key)

    async def demo_person(self) -> Person:
        person_id, number = ids.new("usr"), phone()
        enrolled = await self.risk.demo_enrol(person_id, "演示", number, "浏览器")
        await self.risk.bind_card(card_word(person_id))
        return self._person(enrolled, number, Passkey())

    async def register(self, begin: BeginRegistration, key: Passkey) -> Enrolled:
        ceremony = await self.risk.begin_registration(begin)
        response = key.register(ceremony.options_json)
        return await self.risk.finish_registration(
            FinishRegistration(
                ceremony.ceremony_id, response, "手机", enrolment_id=begin.enrolment_id
            )
        )

    async def sign_in(self, key: Passkey, device_secret: str = "") -> SignedIn:
        ceremony = await self.risk.begin_sign_in()
        response = key.sign(ceremony.options_json)
        return await self.risk.finish_sign_in(
            FinishSignIn(ceremony.ceremony_id, response, "浏览器", device_secret)
        )

    async def approve(self, person: Person, purpose: str, key: Passkey | None = None) -> Approval:
        ceremony = await self.risk.begin_approval(person.person_id, purpose)
        response = (key or person.key).sign(ceremony.options_json)
        return Approval(person.person_id, ceremony.ceremony_id, response)

    async def second_device(self, person: Person, *, synced: bool = False) -> Person:
        """Added with an assertion of the first; it cools down for 12 hours."""
        grant = await self.risk.grant_device(await self.approve(person, "add_device"))
        begin = BeginRegistration(person.person_id, "小明", grant=grant.grant)
        key = Passkey(synced=synced)
        return self._person(await self.register(begin, key), person.phone, key)

    def intent(self, payer: Person, amount_fen: int = 20_00, payee_id: str = SHOP) -> Intent:
        return intent(payer.person_id, amount_fen, payee_id, self.clock)

    async def free(self, payer: Person, wanted: Intent) -> SignedVerdict:
        """Without a passkey."""
        await self.risk.prepare(Prepare(wanted, payer.secret))
        return await self.risk.authorize(Authorize(wanted.intent_id, payer.secret))

    async def sign(self, payer: Person, wanted: Intent, key: Passkey | None = None) -> Authorize:
        """Prepared and signed with the passkey, not yet authorised."""
        requirement = await self.risk.prepare(Prepare(wanted, payer.secret))
        assert requirement.ceremony is not None, requirement
        response = (key or payer.key).sign(requirement.ceremony.options_json)
        ceremony_id = requirement.ceremony.ceremony_id
        return Authorize(wanted.intent_id, payer.secret, ceremony_id, response)

    async def pay(self, payer: Person, wanted: Intent, key: Passkey | None = None) -> SignedVerdict:
        """With the passkey."""
        return await self.risk.authorize(await self.sign(payer, wanted, key))

    async def used(self, person: Person) -> dict[str, int]:
        limits = await self.risk.limits(person.person_id, person.secret)
        return {limit.name: limit.used for limit in limits}

    def _person(self, enrolled: Enrolled, number: str, key: Passkey) -> Person:
        return Person(enrolled.person_id, enrolled.device_id, enrolled.device_secret, number, key)


async def alarm(world: World, *accounts: str) -> None:
    rows = await SEC.query(
        "insert into risk.alarm (kind, detail, accounts, raised_at) "
        "values ('tampered', 'journal 7', $1, $2) returning alarm_id",
        list(accounts),
        world.clock.now(),
    )
    await freeze_accounts(accounts, rows[0]["alarm_id"], "tampered", world.clock.now())


def intent(payer_id: str, amount_fen: int, payee_id: str, clock: FixedClock) -> Intent:
    """A sound one, to a dynamic code, without fee."""
    intent_id, source = ids.new("pay"), f"person:{payer_id}"
    to_shop = payee_id.startswith("mch")
    kind, payee = ("pay", f"shop:{payee_id}") if to_shop else ("transfer", f"person:{payee_id}")
    return Intent(
        intent_id=intent_id,
        kind=kind,
        payer_id=payer_id,
        payee_id=payee_id,
        payee_name="老王面馆",
        amount_fen=amount_fen,
        fee_fen=0,
        source=source,
        code="dynamic",
        posting=Posting(intent_id, kind, (Transfer(source, payee, amount_fen),)),
        expires_at_ms=to_ms(clock.now() + timedelta(minutes=15)),
        nonce=secrets.token_bytes(32),
    )


def with_fee(wanted: Intent, fee_fen: int) -> Intent:
    fee = Transfer(f"shop:{wanted.payee_id}", "fee:income", fee_fen)
    transfers = (*wanted.posting.transfers, fee)
    posting = msgspec.structs.replace(wanted.posting, transfers=transfers)
    return msgspec.structs.replace(wanted, fee_fen=fee_fen, posting=posting)


def top_up(person_id: str, amount_fen: int, clock: FixedClock) -> AuthorizeTopUp:
    """A sound one, signed by the bank."""
    intent_id, account = ids.new("top"), f"person:{person_id}"
    wanted = Intent(
        intent_id=intent_id,
        kind="topup",
        payer_id="bank",
        payee_id=person_id,
        payee_name="易支付",
        amount_fen=amount_fen,
        fee_fen=0,
        source="bank:transit",
        code="none",
        posting=Posting(intent_id, "topup", (Transfer("bank:transit", account, amount_fen),)),
        expires_at_ms=to_ms(clock.now() + timedelta(days=1)),
        nonce=secrets.token_bytes(32),
    )
    statement = BankStatement(intent_id, person_id, amount_fen, "CNY", "paid", to_ms(clock.now()))
    return AuthorizeTopUp(wanted, bank_word(statement))


def bank_word(statement: BankStatement, key: Ed25519PrivateKey = BANK_KEY) -> BankWord:
    signed = message(statement)
    return BankWord(signed, BANK_KEY_ID, key.sign(signed))


def card_of(person_id: str, nth: str = "") -> CardStatement:
    """Everybody has one; `nth`: a letter, of another one."""
    card_id = f"crd_{nth or person_id[4]}{person_id[5:]}"
    return CardStatement(card_id, person_id, f"tok_{card_id}", "演示银行", "0001")


def card_word(
    person_id: str, nth: str = "", *, key: Ed25519PrivateKey = BANK_KEY, **changes: Any
) -> BankWord:
    """The bank's, that a card is the person's."""
    signed = card_message(msgspec.structs.replace(card_of(person_id, nth), **changes))
    return BankWord(signed, BANK_KEY_ID, key.sign(signed))


def altered(wanted: Intent, **changes: Any) -> Intent:
    """The same with other fields."""
    return msgspec.structs.replace(wanted, **changes)


async def found_shop(world: World, owner: Person) -> str:
    shop_id = ids.new("mch")
    await world.risk.found_shop(FoundShop(shop_id, owner.person_id, owner.secret))
    return shop_id


async def hire(world: World, shop_id: str, by: Person, role: Role) -> Person:
    """A new person who accepts an invitation."""
    person = await world.person()
    ask = InviteMember(ids.new("inv"), shop_id, by.person_id, by.secret, role)
    invited = await world.risk.invite_member(await world.approve(by, ask.purpose), ask)
    approval = await world.approve(person, f"join_shop:{invited.invitation_id}")
    await world.risk.join_shop(approval, invited.secret)
    return person
