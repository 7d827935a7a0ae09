"""The sandbox bank's HTTP API behind `BankGateway`."""

from typing import Any, TypeVar

import aiohttp
import msgspec
import structlog

from backend.banking import (
    BankAnswer,
    BankUnavailable,
    CardOffer,
    CardRefused,
    MicroCodeWrong,
)
from backend.bankleave import Leave
from backend.errors import IdReused
from backend.risk import BankWord

CONNECT_TIMEOUT_S = 2
CALL_TIMEOUT_S = 5
OK, NOT_FOUND, CONFLICT, REFUSED = 200, 404, 409, 422

T = TypeVar("T")

_PENDING = BankAnswer(outcome="pending")
_log = structlog.get_logger(__name__)


class _No(msgspec.Struct):
    reason: str = ""
    tries_left: int = 0


class _Confirmed(msgspec.Struct):
    word: BankWord


class HttpBank:
    """One keep-alive session; `close` it at the end."""

    def __init__(
        self, url: str, timeout_s: float = CALL_TIMEOUT_S, connect_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=connect_s)
        self._session: aiohttp.ClientSession | None = None

    async def offer_card(self, card_id: str, person_id: str, number: str, holder: str) -> CardOffer:
        body = {"card_id": card_id, "person_id": person_id, "number": number, "holder": holder}
        status, answer = await self._surely("POST", "/cards", body)
        if status in (REFUSED, CONFLICT):
            reason = _decode(answer, _No).reason
            raise IdReused() if status == CONFLICT else CardRefused(reason=reason)
        _expect(status)
        return _decode(answer, CardOffer)

    async def confirm_card(self, token: str, code: str) -> BankWord:
        status, answer = await self._surely(
            "POST", "/cards/confirm", {"token": token, "code": code}
        )
        if status == REFUSED:
            no = _decode(answer, _No)
            if no.tries_left:
                raise MicroCodeWrong(tries_left=no.tries_left)
            raise CardRefused(reason=no.reason)
        _expect(status)
        return _decode(answer, _Confirmed).word

    async def debit(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        return await self._once("/orders", _order(order_id, token, person_id, amount_fen))

    async def pay_out(
        self, order_id: str, token: str, owner_id: str, amount_fen: int, leave: Leave
    ) -> BankAnswer:
        order = _order(order_id, token, owner_id, amount_fen)
        return await self._once("/payouts", order | {"leave": leave})

    async def _once(self, path: str, body: dict[str, Any]) -> BankAnswer:
        try:
            status, answer = await self._call("POST", path, body)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise BankUnavailable() from None  # no connection: the order can't have left us
        except (aiohttp.ClientError, TimeoutError):
            return _PENDING
        if status != OK:
            _log.warning("bank_answered", order_id=body["order_id"], status=status)
            return _PENDING
        try:
            return _decode(answer, BankAnswer)
        except BankUnavailable:
            return _PENDING

    async def find(self, order_id: str) -> BankAnswer | None:
        status, answer = await self._surely("GET", f"/orders/{order_id}", None)
        if status == NOT_FOUND:
            return None
        _expect(status)
        return _decode(answer, BankAnswer)

    async def end(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        body = _order(order_id, token, person_id, amount_fen)
        status, answer = await self._surely("POST", "/orders/end", body)
        _expect(status)
        return _decode(answer, BankAnswer)

    async def refund(self, order_id: str) -> None:
        status, _ = await self._surely("POST", "/orders/refund", {"order_id": order_id})
        _expect(status)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _surely(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        """For calls that may be repeated without harm: any failure is "not now"."""
        try:
            return await self._call(method, path, body)
        except (aiohttp.ClientError, TimeoutError):
            raise BankUnavailable() from None

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        async with self._session.request(
            method,
            self._url + path,
            data=None if body is None else msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
            allow_redirects=False,
        ) as response:
            return response.status, await response.read()


def _order(order_id: str, token: str, person_id: str, amount_fen: int) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "token": token,
        "person_id": person_id,
        "amount_fen": amount_fen,
    }


def _expect(status: int) -> None:
    if status != OK:
        raise BankUnavailable(status=status)


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        raise BankUnavailable() from None
