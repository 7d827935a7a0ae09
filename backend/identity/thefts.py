"""Copied sessions that the security system has not heard of yet. It must: it holds the money."""

from datetime import datetime

from backend.db import TX
from backend.identity import Session, Theft

MAX_AT_ONCE = 100


async def keep(session: Session, now: datetime) -> None:
    """In the transaction that ends the session."""
    await TX.query(
        "insert into identity.theft (session_id, person_id, device_id, found_at) "
        "values ($1, $2, $3, $4) on conflict do nothing",
        session.session_id,
        session.person_id,
        session.device_id,
        now,
    )


async def waiting() -> tuple[Theft, ...]:
    """Oldest first."""
    found = await TX.query_as(
        Theft,
        "select session_id, person_id, device_id from identity.theft "
        "order by found_at, session_id limit $1",
        MAX_AT_ONCE,
    )
    return tuple(found)


async def told(session_id: str) -> None:
    await TX.query("delete from identity.theft where session_id = $1", session_id)
