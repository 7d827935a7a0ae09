"""What the module is made of, and what its files share."""

import secrets
from hashlib import sha256

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.errors import BadRequest
from backend.events import Events
from backend.identity import Identity
from backend.plain import is_plain

SECRET_BYTES = 32
SECRET_LENGTH = 43


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    identity: Identity
    events: Events
    clock: Clock


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def check_text(text: str, most: int) -> None:
    """Refuses: BadRequest."""
    if len(text) > most or not is_plain(text):
        raise BadRequest()


async def lock(*who: str) -> None:
    """Until the end of the transaction: one change at a time for each of them. In order of ids, so
    that two who accept each other do not wait for each other."""
    await TX.query(
        "select pg_advisory_xact_lock(hashtextextended('friends ' || id, 0))"
        " from unnest($1::text[]) as id",
        sorted(set(who)),
    )
