"""Where a page of bills ended: good for one person only."""

from datetime import datetime

from backend import cursor


def encode(person_id: str, event_at: datetime, bill_id: str) -> str:
    return cursor.encode(f"bills\n{person_id}", event_at, bill_id)


def decode(person_id: str, text: str) -> tuple[datetime, str]:
    """event_at and bill_id. Refuses: BadRequest (altered, or another person's)."""
    return cursor.decode(f"bills\n{person_id}", text)
