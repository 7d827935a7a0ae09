"""People and sessions on PostgreSQL."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from backend import ids
from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.identity import (
    IDLE_LIFE,
    SESSION_LIFE,
    Language,
    NewPerson,
    OpenedSession,
    OpenPhoneSession,
    OpenSession,
    Person,
    PhoneCaller,
    PhoneTaken,
    PhoneTokens,
    Recorder,
    Session,
    SignedOut,
    SpentProof,
    Theft,
    phones,
    thefts,
)
from backend.identity.phones import Phones
from backend.together import Together

TOKEN_BYTES = 32
TOGETHER = 200  # people who are looked up at once
SEEN_STEP = timedelta(seconds=30)  # a busy session writes its seen_at no more often

_SESSION = "session_id, person_id, device_id, label, created_at, seen_at"
_PERSON = "person_id, phone, display_name, language, demo, created_at"


class IdentityService:
    """keys: the folder of the key that makes the next refresh token of one."""

    def __init__(self, clock: Clock, events: Recorder, keys: Path) -> None:
        self._clock = clock
        self._phones = Phones(clock, events, keys)
        self._people = Together[str, Person | None](_people, TOGETHER)

    async def create_person(self, new: NewPerson) -> Person:
        await TX.query(
            f"insert into identity.person ({_PERSON}) values ($1, $2, $3, $4, $5, $6)"  # noqa: S608
            " on conflict do nothing",
            new.person_id,
            new.phone,
            new.display_name,
            new.language,
            new.demo,
            self._clock.now(),
        )
        found = await self._find(new.person_id)
        if found is None:
            raise PhoneTaken()
        # The language may have been changed since; who somebody is may not.
        if (found.phone, found.display_name, found.demo) != (new.phone, new.display_name, new.demo):
            raise IdReused()
        return found

    async def person(self, person_id: str) -> Person:
        found = await self._find(person_id)
        if found is None:
            raise NotFound()
        return found

    async def names(self, person_ids: tuple[str, ...]) -> dict[str, str]:
        rows = await TX.query(
            "select person_id, display_name from identity.person where person_id = any($1)",
            list(person_ids),
        )
        return {row["person_id"]: row["display_name"] for row in rows}

    async def by_phone(self, phone: str) -> str:
        rows = await TX.query("select person_id from identity.person where phone = $1", phone)
        return str(rows[0]["person_id"]) if rows else ""

    async def set_language(self, person_id: str, language: Language) -> None:
        rows = await TX.query(
            "update identity.person set language = $2 where person_id = $1 returning person_id",
            person_id,
            language,
        )
        if not rows:
            raise NotFound()

    async def open_session(self, new: OpenSession) -> OpenedSession:
        now = self._clock.now()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        async with TX.transaction():
            await self._forget_dead(new.person_id, now)
            [session] = await TX.query_as(
                Session,
                f"insert into identity.session ({_SESSION}, token_hash)"  # noqa: S608
                f" values ($1, $2, $3, $4, $5, $5, $6) returning {_SESSION}",
                ids.new("ses"),
                new.person_id,
                new.device_id,
                new.label,
                now,
                _hash(token),
            )
        return OpenedSession(session=session, token=token)

    async def session(self, token: str, touch: bool = True) -> Session:
        now = self._clock.now()
        found = await TX.one(
            Session,
            f"select {_SESSION} from identity.session"  # noqa: S608
            " where token_hash = $1 and seen_at > $2 and created_at > $3",
            _hash(token),
            now - IDLE_LIFE,
            now - SESSION_LIFE,
        )
        if found is None:
            raise SignedOut()
        if touch and now - found.seen_at >= SEEN_STEP:
            await TX.query(
                "update identity.session set seen_at = $2 where session_id = $1 and seen_at < $2",
                found.session_id,
                now,
            )
        return found

    async def sessions(self, person_id: str) -> tuple[Session, ...]:
        now = self._clock.now()
        browsers = await TX.query_as(
            Session,
            f"select {_SESSION} from identity.session"  # noqa: S608
            " where person_id = $1 and seen_at > $2 and created_at > $3",
            person_id,
            now - IDLE_LIFE,
            now - SESSION_LIFE,
        )
        found = [*browsers, *await phones.of_person(person_id, now)]
        return tuple(sorted(found, key=lambda s: (s.created_at, s.session_id), reverse=True))

    async def end_session(self, person_id: str, session_id: str) -> None:
        if not await _end("session_id = $2", person_id, session_id):
            raise NotFound()

    async def end_all(self, person_id: str) -> None:
        await _end("true", person_id)

    async def end_device(self, person_id: str, device_id: str) -> None:
        await _end("device_id = $2", person_id, device_id)

    async def open_phone_session(self, new: OpenPhoneSession) -> PhoneTokens:
        return await self._phones.open(new)

    async def refresh(self, refresh_token: str, thumbprint: str) -> PhoneTokens:
        return await self._phones.refresh(refresh_token, thumbprint)

    async def thefts(self) -> tuple[Theft, ...]:
        return await thefts.waiting()

    async def theft_told(self, session_id: str) -> None:
        await thefts.told(session_id)

    async def phone_session(self, session_id: str, thumbprint: str) -> Session:
        return await self._phones.session(session_id, thumbprint)

    async def phone_caller(self, session_id: str, proof: SpentProof) -> PhoneCaller:
        return await self._phones.caller(session_id, proof)

    async def spend_proof(self, proof: SpentProof) -> None:
        await phones.spend(proof)

    async def proof_memory(self) -> str:
        return await phones.memory_id()

    async def sweep(self) -> int:
        return await phones.forget_proofs(self._clock.now())

    async def _find(self, person_id: str) -> Person | None:
        return await self._people.do(person_id)

    async def _forget_dead(self, person_id: str, now: datetime) -> None:
        await TX.query(
            "delete from identity.session"
            " where person_id = $1 and (seen_at <= $2 or created_at <= $3)",
            person_id,
            now - IDLE_LIFE,
            now - SESSION_LIFE,
        )


async def _end(which: str, *who: str) -> bool:
    """Sessions of a person, of browsers and of phones. Whether there were any."""
    rows = await TX.query(
        f"with browsers as (delete from identity.session where person_id = $1 and {which}"  # noqa: S608
        " returning 1), phones as (delete from identity.phone_session"
        f" where person_id = $1 and {which} returning 1)"
        " select 1 from browsers union all select 1 from phones",
        *who,
    )
    return bool(rows)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


async def _people(person_ids: Sequence[str]) -> list[Person | None]:
    found = await TX.query_as(
        Person,
        f"select {_PERSON} from identity.person where person_id = any($1)",  # noqa: S608
        person_ids,
    )
    by_id = {person.person_id: person for person in found}
    return [by_id.get(person_id) for person_id in person_ids]
