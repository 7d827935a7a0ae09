"""Signed receipts: what moved, with the security system's signature for exactly that."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.clock import Clock
from backend.receipt import Receipt
from backend.services import Services
from backend.settings import Settings
from backend.texts import catalogue
from backend.wallet.receipts import published_keys, receipt_of, receipt_of_refund
from backend.wallet.record import record_of
from mobile_api.caller import Caller


class KeysView(msgspec.Struct, frozen=True, kw_only=True):
    """keys: raw Ed25519 public keys, hexadecimal, by key id; those of earlier times too."""

    object: str = "receipt_keys"
    keys: dict[str, str]


@get("/v1/bills/{bill_id:str}/receipt")
async def bill_receipt(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Receipt:
    """The signed receipt of a bill that succeeded. It verifies offline, with the receipt keys.

    Refuses: not_found, unavailable."""
    return await receipt_of(services, caller.person.person_id, bill_id)


@get("/v1/bills/{bill_id:str}/record", media_type="application/pdf")
async def bill_record(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    bill_id: FromPath[str],
) -> Response[bytes]:
    """A record of a bill that succeeded, on a sheet to print (PDF), in the caller's language.

    Refuses: not_found."""
    words = catalogue(caller.person.language)
    body = await record_of(services, caller.person, bill_id, words, clock.now())
    headers = {"Content-Disposition": f'attachment; filename="yipay-{bill_id}.pdf"'}
    return Response(body, media_type="application/pdf", headers=headers)


@get("/v1/bills/{bill_id:str}/refunds/{refund_id:str}/receipt")
async def refund_receipt(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
    refund_id: FromPath[str],
) -> Receipt:
    """The signed receipt of a refund that came to the caller.

    Refuses: not_found, unavailable."""
    return await receipt_of_refund(services, caller.person.person_id, bill_id, refund_id)


@get("/v1/receipt-keys", opt={"open": True})
async def receipt_keys(settings: NamedDependency[Settings]) -> KeysView:
    """The public keys that receipts verify with. Keep them: they are what you trust offline."""
    return KeysView(keys=published_keys(settings))


handlers = [bill_receipt, bill_record, refund_receipt, receipt_keys]
