"""People and their sessions. Who somebody is; never what they may spend."""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id

IDLE_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(hours=12)

# Of a phone, whose own key proves each call.
PHONE_IDLE_LIFE = timedelta(days=30)
PHONE_SESSION_LIFE = timedelta(days=90)
REFRESH_RETRY = timedelta(seconds=30)  # in which a lost answer may be asked for again

DisplayName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Language = Annotated[str, msgspec.Meta(pattern=r"^(zh-CN|en)(?![\s\S])")]  # "$" lets "\n" pass


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
    phone: bool = False  # of an app; otherwise of a browser


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """token: 256 bits, base64url, shown once and stored as a hash."""

    session: Session
    token: str


class OpenPhoneSession(msgspec.Struct, frozen=True, kw_only=True):
    """thumbprint: of the device's own key (RFC 7638), to which everything is bound."""

    person_id: str
    device_id: str
    label: Annotated[str, msgspec.Meta(max_length=64)]
    thumbprint: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]


class PhoneTokens(msgspec.Struct, frozen=True, kw_only=True):
    """refresh_token: good for one turn; two halves of 256 bits, of which hashes are kept."""

    session: Session
    refresh_token: str


class SpentProof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof of possession, used for one request. ends_at: it is refused for its age by then.
    memory_id: of what remembers spent proofs since before this one was made."""

    thumbprint: str
    jti: str
    ends_at: datetime
    memory_id: str


class PhoneCaller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is behind a request of a phone."""

    session: Session
    person: Person


class Theft(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was copied and has ended."""

    session_id: str
    person_id: str
    device_id: str


class Recorder(Protocol):
    """What records news in the caller's transaction, as `backend.events` does."""

    async def record(self, topic: str, kind: str, ref: str) -> None: ...


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

    # phones
    async def open_phone_session(self, new: OpenPhoneSession) -> PhoneTokens:
        """Takes the place of the device's earlier session."""
        ...

    async def refresh(self, refresh_token: str, thumbprint: str) -> PhoneTokens:
        """The next turn. The same token again within 30 s: the same answer. After that, or by
        another key: the session ends and the person is told. Refuses: SignedOut, RefreshReused."""
        ...

    async def thefts(self) -> tuple[Theft, ...]:
        """Those that the security system is still to be told of, kept with the session's end."""
        ...

    async def theft_told(self, session_id: str) -> None: ...

    async def phone_session(self, session_id: str, thumbprint: str) -> Session:
        """Refuses: SignedOut."""
        ...

    async def phone_caller(self, session_id: str, proof: SpentProof) -> PhoneCaller:
        """One request of a phone: spends its proof, and finds its live session, whose idle end
        moves forward. Refuses: ProofReplayed, SignedOut. Raises ProofsForgotten."""
        ...

    async def spend_proof(self, proof: SpentProof) -> None:
        """Of a request that nobody is signed in for. Refuses: ProofReplayed. Raises
        ProofsForgotten."""
        ...

    async def proof_memory(self) -> str:
        """The id of what remembers spent proofs: another one after it was lost in a crash."""
        ...

    async def sweep(self) -> int:
        """Forget spent proofs that would be refused for their age."""
        ...


class SignedOut(DomainError, code="signed_out"):
    """No session, or it was ended, idle for too long, or too old (a browser: 15 minutes, 12 hours;
    a phone: 30 days, 90 days)."""


class RefreshReused(DomainError, code="refresh_reused"):
    """The refresh token was used before, or by another key: its session has ended.

    session: that one, for whoever ends what else it could do; it is told to nobody.
    """

    def __init__(self, session: Session | None = None) -> None:
        super().__init__()
        self.session = session


class ProofsForgotten(Exception):
    """What remembered the proofs of that time was lost: whether this one was spent, nobody knows.
    Callers ask for the memory of today and have the phone make another proof."""


class ProofReplayed(DomainError, code="proof_replayed"):
    """The proof of possession was used for another request."""


class PhoneTaken(DomainError, code="phone_taken"):
    """Another person has this number."""
