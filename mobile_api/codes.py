"""What a scanner has read, told as what it is."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.codes import MAX_SCANNED
from backend.services import Services
from backend.settings import Settings
from backend.wallet.scanned import find
from mobile_api.caller import Caller
from mobile_api.shapes import Amount, amount_of


class ScannedText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SCANNED)]


class ScannedView(msgspec.Struct, frozen=True, kw_only=True):
    """kind: "static", "order", "personal", "packet", "sign_in" (ref: the id); "invitation",
    "friend", "group" (ref: the secret); "pay_code", "card", "wallet" (name: whose), "emv" (name:
    the payee's), "broken" (name: why), "address", "unknown". Only what is ours has a ref. Clients
    must accept further kinds, and open nothing by itself."""

    object: str = "scanned"
    kind: str
    ref: str
    name: str
    amount: Amount | None


@post("/v1/codes/parse", status_code=200, opt={"idempotent": False})
async def parse(
    data: JSONBody[ScannedText],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> ScannedView:
    """What a code says. It reads only, so it needs no Idempotency-Key. An 8-digit code that no
    shop has is "static" with an empty ref."""
    found = await find(services, settings.public_origin, data.text)
    scanned = found.scanned
    return ScannedView(
        kind=scanned.kind,
        ref=found.ref if scanned.kind == "static" else scanned.ref,
        name=scanned.name,
        amount=amount_of(scanned.amount_fen) if scanned.amount_fen else None,
    )


handlers = [parse]
