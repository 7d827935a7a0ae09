"""Ceremonies of passkeys at the doors, and the phone's answers to them."""

from typing import Annotated

import msgspec

from backend.risk import Ceremony, Label
from mobile_api.consent import CeremonyView, Confirmation, ceremony_view


class CeremonyBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Answer it with the passkey and with a proof of the device key whose claim `chl` is the
    challenge."""

    object: str = "ceremony"
    ceremony: CeremonyView


class DeviceAnswer(Confirmation, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """label: what the person calls the phone, for example its model."""

    label: Annotated[Label, msgspec.Meta(min_length=1)]


def begun(ceremony: Ceremony) -> CeremonyBegun:
    return CeremonyBegun(ceremony=ceremony_view(ceremony))
