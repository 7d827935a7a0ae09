"""The JSON face where it is served, mounted in the web face, and phones to call it with.

anna = await phones("Anna", balance=100_00)
lena = await phones.of(wallet)             # a phone for a person of tests.world
"""

import secrets
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from litestar import Litestar

from backend.risk import Approval
from backend.settings import Settings
from tests.phone import Phone
from tests.web.browser import client_of
from tests.web.shared import serving
from tests.world import PATIENCE, Line, Wallet, World, open_world


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made


@pytest.fixture
def payments(world: World) -> Line:
    """The real thing, with faults to switch on."""
    return Line(world.services.payments)


@pytest.fixture
async def app(world: World, payments: Line) -> AsyncIterator[Litestar]:
    services = msgspec.structs.replace(world.services, payments=payments)
    async with serving(world.settings, services, world.clock) as made:
        yield made


@pytest.fixture
async def api(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client that nobody is signed in with."""
    async with client_of(app) as client:
        yield client


class Phones:
    """Makes phones that share nothing but the server."""

    def __init__(self, api: httpx.AsyncClient, world: World) -> None:
        self.api, self.world = api, world

    async def __call__(
        self, name: str = "安娜", *, balance: int = 0, trusted: bool = True, language: str = "zh-CN"
    ) -> Phone:
        """Enrolled over the API; the money comes from the bank."""
        phone = self.new(language)
        await phone.enrol(f"+86139{secrets.randbelow(10**8):08d}", name)
        if trusted:
            self.world.clock.move(PATIENCE)
        if balance:
            await self.world.fund(wallet_of(phone), balance)
        return phone

    def new(self, language: str = "zh-CN", alg: str = "ES256") -> Phone:
        """Fresh from the shop: nobody's yet."""
        return Phone(
            self.api,
            inbox=self._code,
            language=language,
            origin=self.world.settings.public_origin,
            clock=self.world.clock,
            alg=alg,
        )

    async def of(self, wallet: Wallet, *, trusted: bool = True) -> Phone:
        """One more device of a person of tests.world, let in by the older one's passkey."""
        risk = self.world.services.risk
        ceremony = await risk.begin_approval(wallet.person_id, "add_device")
        response = wallet.passkey.sign(ceremony.options_json)
        approval = Approval(wallet.person_id, ceremony.ceremony_id, response)
        phone = self.new()
        given = await risk.grant_device(approval)
        await phone.join(f"{wallet.person_id}.{given.grant}")
        if trusted:
            self.world.clock.move(PATIENCE)
        return phone

    async def _code(self, number: str) -> str:
        return self.world.sms.codes[number]


def wallet_of(phone: Phone) -> Wallet:
    """For the helpers of tests.world that need no device: money, shops of others, balances."""
    return Wallet(
        person_id=phone.person_id,
        device_secret="",
        passkey=phone.passkey,
        account_id=f"person:{phone.person_id}",
    )


@pytest.fixture
def phones(api: httpx.AsyncClient, world: World) -> Phones:
    return Phones(api, world)


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    """Somebody with money and a trusted phone."""
    return await phones(balance=1_000_00)
