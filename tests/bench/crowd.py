"""A crowd of virtual phones on the running product: enrolled, funded, with nothing stood in for."""

import asyncio
import re
from typing import Any, cast

import httpx

from backend.sandbox.cards import number
from e2e.wallet import Wallet
from tests.bench.wire import Wire
from tests.phone import Phone

TOPUP_FEN = 10_000_00
FIRST_NUMBER = 13700000001  # those that end in 0000 are never reached
FIRST_CARD = 1000  # an account each: one holds 100,000 yuan
DOORS_AT_ONCE = 8
MICRO_CODE = re.compile(r"<strong>[^<]*?(?<!\d)(\d{4})(?!\d)[^<]*</strong>")


class Crowd:
    """`phones` have money each; `shop` is a till's phone."""

    def __init__(self, wallet: Wallet, people: int) -> None:
        self._wallet = wallet
        self._aside = httpx.AsyncClient()
        self._wires = [Wire(wallet.url, n) for n in range(people + 1)]
        made = [self._phone(wire) for wire in self._wires]
        self.phones, self.shop = made[:-1], made[-1]

    async def enter(self, funded: int | None = None) -> None:
        """Everybody opens a wallet, the first ones (by default all) put money in; the last one
        opens a shop."""
        gate = asyncio.Semaphore(DOORS_AT_ONCE)

        async def enrol(index: int, phone: Phone) -> None:
            async with gate:
                await phone.enrol(f"+86{FIRST_NUMBER + index}", f"客{index}")

        everybody = [*self.phones, self.shop]
        await asyncio.gather(*(enrol(n, phone) for n, phone in enumerate(everybody)))
        for n, phone in enumerate(self.phones[:funded]):
            await self._fund(phone, f"{FIRST_CARD + n}")
        await self.shop.api.create_shop({"name": "压测铺", "category": "food"})

    async def close(self) -> None:
        await self._aside.aclose()
        for wire in self._wires:
            await wire.close()

    def _phone(self, wire: Wire) -> Phone:
        client = cast(httpx.AsyncClient, wire)
        made = Phone(client, inbox=self._inbox, origin=self._wallet.url)
        made.api.strict = False
        return made

    async def _inbox(self, to: str) -> str:
        for _ in range(100):
            answer = await self._aside.get(
                f"{self._wallet.sms_url}/messages.json", params={"to": to}
            )
            for message in answer.json():
                if found := re.search(r"\d{6}", message["text"]):
                    return found[0]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no code came to {to}")

    async def _fund(self, phone: Phone, last4: str) -> None:
        """One after the other: the bank's statement shows the newest code first."""
        given = {"number": number("622200", last4), "holder": "Holder"}
        card = await phone.api.create_card(given)
        found = MICRO_CODE.search(
            (await self._aside.get(f"{self._wallet.bank_url}/statement")).text
        )
        assert found is not None
        await phone.api.confirm_card({"code": found[1]}, card_id=card["id"])
        wanted = {"card": card["id"], "amount": money(TOPUP_FEN)}
        topup = await phone.api.create_topup(wanted)
        while topup["status"] != "posted":
            assert topup["status"] != "refused", topup
            await asyncio.sleep(0.1)
            topup = await phone.api.get_topup(topup_id=topup["id"])


def money(amount_fen: int) -> dict[str, Any]:
    return {"amount": amount_fen, "currency": "CNY"}
