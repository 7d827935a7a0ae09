"""Pages of lists that the services give whole, and ids as they stand in addresses."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from backend import cursor as places
from backend.errors import NotFound
from backend.ids import is_id
from mobile_api.shapes import limited

Item = TypeVar("Item")

_START = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(microseconds=1)


def checked(found_id: str, prefix: str) -> str:
    """An id from an address. Refuses: NotFound (it can't be one of that kind)."""
    if not is_id(found_id, prefix):
        raise NotFound()
    return found_id


def sliced(
    of: str, items: Sequence[Item], limit: int, cursor: str, id_of: Callable[[Item], str]
) -> tuple[Sequence[Item], str]:
    """A page and the next one's cursor. of: the list and its owner. It goes on after the item that
    it ended with; where that one has left the list, at the place where it stood. Refuses:
    BadRequest (another list's cursor)."""
    start = 0
    if cursor:
        at, last = places.decode(of, cursor)
        stood = (at - _START) // _STEP
        start = next((n + 1 for n, item in enumerate(items) if id_of(item) == last), stood)
    end = start + limited(limit)
    if end >= len(items):
        return items[start:], ""
    return items[start:end], places.encode(of, _START + (end - 1) * _STEP, id_of(items[end - 1]))
