"""What money takes before it moves, and the passkey's answer: the same shape for everything."""

from typing import Any, Protocol, TypeVar

import msgspec

from backend.errors import BadRequest
from backend.ids import Id
from backend.risk import Ceremony, Requirement
from mobile_api.caller import Once
from mobile_api.shapes import timestamp

MAX_RESPONSE_BYTES = 16_384


class CeremonyView(msgspec.Struct, frozen=True, kw_only=True):
    """options: for the platform's passkey call, as WebAuthn's JSON. Single use."""

    id: str
    options: dict[str, Any]
    expires: str  # RFC 3339


class RequirementView(msgspec.Struct, frozen=True, kw_only=True):
    """takes: "none", "passkey" (answer `ceremony`), "wait" (until `wait_until`). Clients must
    accept further values of `takes` and `reasons`."""

    takes: str
    level: str
    reasons: tuple[str, ...]
    first_payment: bool
    wait_until: str | None = None
    ceremony: CeremonyView | None = None


class Asking(Protocol):
    @property
    def requirement(self) -> RequirementView | None: ...


View = TypeVar("View", bound=Asking)


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of every confirmation. response: the credential's toJSON object."""

    ceremony_id: Id
    response: dict[str, Any]

    @property
    def response_json(self) -> bytes:
        """As the services take it. Refuses: BadRequest (too large)."""
        raw = msgspec.json.encode(self.response)
        if len(raw) > MAX_RESPONSE_BYTES:
            raise BadRequest()
        return raw


def until_done(once: Once, view: View) -> View:
    """The answer of a start. While something is still asked for it is not kept, because it would
    outlive the ceremony: the same start again finds the same thing, and opens a fresh one."""
    if view.requirement is not None:
        once.not_for_good()
    return view


def ceremony_view(ceremony: Ceremony) -> CeremonyView:
    return CeremonyView(
        id=ceremony.ceremony_id,
        options=msgspec.json.decode(ceremony.options_json, type=dict[str, Any]),
        expires=timestamp(ceremony.expires_at),
    )


def requirement_view(asked: Requirement | None) -> RequirementView | None:
    """None where it is done."""
    if asked is None:
        return None
    return RequirementView(
        takes=asked.takes,
        level=asked.level,
        reasons=asked.reasons,
        first_payment=asked.first_payment,
        wait_until=timestamp(asked.wait_until) if asked.wait_until else None,
        ceremony=ceremony_view(asked.ceremony) if asked.ceremony else None,
    )
