"""What a code leads to, for whoever has scanned or typed it."""

import msgspec

from backend.codes import MAX_SCANNED, Scanned
from backend.codes.classify import read
from backend.errors import NotFound
from backend.ids import is_id
from backend.services import Services

# Kinds that lead on, by their id; others are told as what they are.
LEADING = frozenset({"static", "order", "personal", "packet"})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """ref: the id that it leads to, "" if it leads nowhere by an id."""

    scanned: Scanned
    ref: str


async def find(services: Services, origin: str, text: str) -> Found:
    """origin: of this wallet. Never refuses: what is nothing to us is told as that."""
    scanned = read(text[: MAX_SCANNED + 1], origin)
    return Found(scanned=scanned, ref=await _ref(services, scanned))


async def _ref(services: Services, scanned: Scanned) -> str:
    if scanned.kind not in LEADING:
        return ""
    if is_id(scanned.ref, scanned.ref[:3]):
        return scanned.ref
    try:
        return (await services.merchant.static_code(scanned.ref)).code_id
    except NotFound:
        return ""
