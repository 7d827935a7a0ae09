"""Pots: money that its owner put aside for others, with the terms that the consent bound."""

from typing import Annotated

import msgspec

from backend.intent import Intent
from backend.posting import MAX_TRANSFERS


class Opener(msgspec.Struct, frozen=True, array_like=True):
    """Somebody who wants a share, with the device in hand. device_secret "" in `authorize_shares`:
    somebody whom `judge_openers` let pass for this packet before; whoever posts a decided share
    after a crash has no devices (secrets are not kept), and the share must still come."""

    person_id: str
    device_secret: str


class AuthorizeShares(msgspec.Struct, frozen=True, array_like=True):
    """One posting for openings that are decided together. intent: kind "share", payer_id the
    packet's id, payee_id "" (or the only opener), source "packet:<id>", code "none", posting reason
    "share" with one transfer packet → person per opener, in the openers' order."""

    intent: Intent
    openers: Annotated[tuple[Opener, ...], msgspec.Meta(min_length=1, max_length=MAX_TRANSFERS)]


class Judged(msgspec.Struct, frozen=True, array_like=True):
    """code "": may open; else a refusal's code, such as "payer_frozen" or "open_limit"."""

    person_id: str
    code: str


class EndPot(msgspec.Struct, frozen=True, array_like=True):
    """What is left of a pot goes to whom its terms say. intent: payer_id the pot's id; kind
    "pot_return" (to its owner: a packet at its end, a delayed transfer that is recalled before its
    end, then with the owner's device_secret) or "pot_arrival" (a delayed transfer at its end)."""

    intent: Intent
    device_secret: str = ""
