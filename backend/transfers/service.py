"""The face of transfers, put together."""

from backend.payments import Confirm, Quote
from backend.transfers import (
    NewRequest,
    Payee,
    PayTransfer,
    Request,
    Somebody,
    StartTransfer,
    Transfer,
    TransferStarted,
)
from backend.transfers import rows as store
from backend.transfers.ending import Ending
from backend.transfers.parts import Parts
from backend.transfers.payees import Payees
from backend.transfers.paying_shares import Shares
from backend.transfers.requests import Requests
from backend.transfers.sending import Sending
from backend.transfers.sweep import Sweeper


class TransfersService:
    def __init__(self, parts: Parts) -> None:
        self._payees = Payees(parts)
        self._sending = Sending(parts, self._payees, Shares(parts))
        self._ending = Ending(parts)
        self._requests = Requests(parts, self._payees)
        self._sweeper = Sweeper(parts, self._sending, self._ending, self._requests)

    async def payee(self, payer_id: str, to: str) -> Payee:
        return await self._payees.payee(payer_id, to)

    async def open(self, start: StartTransfer) -> Transfer:
        return await self._sending.open(start)

    async def quote(self, payer_id: str, transfer_id: str, device_secret: str) -> Quote:
        return await self._sending.quote(payer_id, transfer_id, device_secret)

    async def pay(self, pay: PayTransfer) -> TransferStarted:
        return await self._sending.pay(pay)

    async def start(self, start: StartTransfer) -> TransferStarted:
        return await self._sending.start(start)

    async def confirm(self, confirm: Confirm) -> Transfer:
        return await self._sending.confirm(confirm)

    async def transfer(self, person_id: str, transfer_id: str) -> Transfer:
        return (await self._sending.transfer(person_id, transfer_id)).shown()

    async def waiting(self, person_id: str) -> tuple[Transfer, ...]:
        return tuple(row.shown() for row in await store.waiting(person_id))

    async def recall(self, payer_id: str, transfer_id: str, device_secret: str) -> Transfer:
        row = await self._sending.transfer(payer_id, transfer_id)
        return (await self._ending.recall(row, payer_id, device_secret)).shown()

    async def askable(self, person_id: str, group_id: str) -> tuple[Somebody, ...]:
        return await self._requests.askable(person_id, group_id)

    async def request(self, new: NewRequest) -> Request:
        return await self._requests.request(new)

    async def requests(self, person_id: str) -> tuple[Request, ...]:
        return await self._requests.requests(person_id)

    async def find_request(self, person_id: str, request_id: str) -> Request:
        return await self._requests.find(person_id, request_id)

    async def decline(self, person_id: str, request_id: str) -> Request:
        return await self._requests.decline(person_id, request_id)

    async def withdraw(self, person_id: str, request_id: str) -> Request:
        return await self._requests.withdraw(person_id, request_id)

    async def remind(self, person_id: str, request_id: str) -> Request:
        return await self._requests.remind(person_id, request_id)

    async def sweep(self) -> int:
        return await self._sweeper.sweep()
