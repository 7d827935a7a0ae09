"""Making the demo's people and their week, once. Stopped half-way, it goes on where it stopped."""

import asyncio
import re
from datetime import datetime
from itertools import groupby

import aiohttp
import structlog

from backend import rpc, services
from backend.banking import BankUnavailable, BindCard, ConfirmCard, StartTopUp
from backend.demo.circle import DemoCircle
from backend.demo.history import FUNDED, Sale, asked_back, week
from backend.demo.people import CONSUMER, CUSTOMERS, OWNER, STAFF, DemoPerson, fixed_id
from backend.demo.shop import DemoShop
from backend.identity import NewPerson
from backend.risk.demo import RiskDemo
from backend.services import Services
from backend.settings import Settings

DEVICE = "演示设备"
TOPUP_PATIENCE_S = 30
POLL_S = 0.2

_CODE = re.compile(r"验证码 (\d{4})")
_log = structlog.get_logger(__name__)


async def seed(settings: Settings) -> None:
    """Needs everything that `yipay up --demo` starts."""
    assert settings.demo, "demo people exist in demo mode only"
    built, close = await services.build(settings)
    risk, client = rpc.connect(RiskDemo, settings.risk_rpc, settings)
    try:
        await Seeding(built, risk, settings.bank_url).run()
    finally:
        await client.close()
        await close()


class Seeding:
    """One run. `bank_url`: of the sandbox bank, whose customers read their statements there."""

    def __init__(self, to: Services, risk: RiskDemo, bank_url: str) -> None:
        self._to, self._risk, self._bank_url = to, risk, bank_url
        self._secrets: dict[str, str] = {}

    async def run(self) -> None:
        since = await self._person(CONSUMER)
        sales = week(since)
        if await self._done(sales):
            return
        for person in (*CUSTOMERS, OWNER, *(member for member, _, _ in STAFF)):
            await self._wallet(person)
        shop = DemoShop(self._to, self._risk, self._secrets)
        seat = await shop.open()
        await asyncio.gather(*(self._fund(person, since) for person in CUSTOMERS))
        for _, of_day in groupby(sales, key=lambda sale: sale.event_at.date()):
            await asyncio.gather(*(shop.sell(seat, sale) for sale in of_day))
        await DemoCircle(self._to, self._secrets).gather()
        await shop.refund(seat, sales)
        _log.info("demo_seeded", sales=len(sales))

    async def _person(self, person: DemoPerson) -> datetime:
        """When the person was made."""
        made = await self._to.identity.create_person(
            NewPerson(
                person_id=person.person_id,
                phone=person.phone,
                display_name=person.display_name,
                demo=True,
            )
        )
        return made.created_at

    async def _done(self, sales: list[Sale]) -> bool:
        """Whether the last thing that an earlier run does was done."""
        asked, _ = asked_back(sales)
        found = await self._to.merchant.refund_request(asked.customer.person_id, asked.payment_id)
        return found is not None

    async def _wallet(self, person: DemoPerson) -> None:
        await self._person(person)
        enrolled = await self._risk.demo_enrol(
            person.person_id, person.display_name, person.phone, DEVICE
        )
        self._secrets[person.person_id] = enrolled.device_secret
        await self._to.payments.open_wallet(person.person_id)

    # -- money in -------------------------------------------------------------------------------

    async def _fund(self, person: DemoPerson, since: datetime) -> None:
        card_id = await self._card(person)
        topup_id = fixed_id("top", person.name)
        await self._to.banking.top_up(
            StartTopUp(
                topup_id=topup_id,
                person_id=person.person_id,
                card_id=card_id,
                amount_fen=person.topup_fen,
                event_at=since - FUNDED,
            )
        )
        async with asyncio.timeout(TOPUP_PATIENCE_S):
            while True:
                topup = await self._to.banking.topup(person.person_id, topup_id)
                if topup.status == "posted":
                    return
                if topup.status == "refused":
                    raise BankUnavailable(status=topup.refusal_code)
                await asyncio.sleep(POLL_S)  # the worker's sweeper is on it

    async def _card(self, person: DemoPerson) -> str:
        card = await self._to.banking.bind_card(
            BindCard(
                card_id=fixed_id("crd", person.name),
                person_id=person.person_id,
                number=person.card,
                holder=person.display_name,
            )
        )
        if card.status != "bound":
            code = await self._code(card.last4)
            await self._to.banking.confirm_card(
                ConfirmCard(card_id=card.card_id, person_id=person.person_id, code=code)
            )
        return card.card_id

    async def _code(self, last4: str) -> str:
        """Read off the bank's statement, as everybody reads it."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._bank_url}/statement.json", params={"last4": last4}) as answer,
        ):
            lines = await answer.json()
        found = next((m for line in lines if (m := _CODE.search(line["what"]))), None)
        if found is None:
            raise BankUnavailable()
        return found[1]
