"""People and their sessions. Who somebody is; never what they may spend."""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id

IDLE_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=12)

DisplayName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Language = Annotated[str, msgspec.Meta(pattern=r"^(zh-CN|en)$")]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    phone: str  # E.164
    display_name: str
    language: str
    demo: bool
    created_at: datetime


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    person_id: Id
    phone: str
    display_name: DisplayName
    language: Language = "zh-CN"
    demo: bool = False


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    device_id: str
    label: Annotated[str, msgspec.Meta(max_length=64)]  # browser and system, as the person knows it


class Session(msgspec.Struct, frozen=True, kw_only=True):
    session_id: str
    person_id: str
    device_id: str
    label: str
    created_at: datetime
    seen_at: datetime


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """token: 256 bits, base64url, shown once and stored as a hash."""

    session: Session
    token: str


class Identity(Protocol):
    async def create_person(self, new: NewPerson) -> Person:
        """Idempotent by person_id. Refuses: IdReused, PhoneTaken."""
        ...

    async def person(self, person_id: str) -> Person:
        """Refuses: NotFound."""
        ...

    async def names(self, person_ids: tuple[str, ...]) -> dict[str, str]:
        """Display names by id; ids that nobody has are left out."""
        ...

    async def by_phone(self, phone: str) -> str:
        """The id of who has the number, "" if nobody. Callers limit how often somebody may ask, and
        decide what a stranger learns."""
        ...

    async def set_language(self, person_id: str, language: Language) -> None: ...

    async def open_session(self, new: OpenSession) -> OpenedSession:
        """Always a fresh token: one is never carried over a sign-in."""
        ...

    async def session(self, token: str, touch: bool = True) -> Session:
        """The live session of a token; pushes its idle end forward, but for requests that no person
        made (touch=False). Refuses: SignedOut."""
        ...

    async def sessions(self, person_id: str) -> tuple[Session, ...]: ...

    async def end_session(self, person_id: str, session_id: str) -> None:
        """Refuses: NotFound."""
        ...

    async def end_all(self, person_id: str) -> None:
        """Sign out everywhere."""
        ...

    async def end_device(self, person_id: str, device_id: str) -> None:
        """End the sessions of a removed device."""
        ...


class SignedOut(DomainError, code="signed_out"):
    """No session, or it was ended, idle for 15 minutes, or 12 hours old."""


class PhoneTaken(DomainError, code="phone_taken"):
    """Another person has this number."""
