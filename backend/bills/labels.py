"""What people put on their own side of a bill."""

from backend.bills import CATEGORIES, MAX_NOTE, Label
from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.plain import is_plain

MAX_ASKED = 500


async def put(person_id: str, label: Label) -> None:
    """Refuses: NotFound, BadRequest."""
    fits = len(label.note) <= MAX_NOTE and is_plain(label.note)
    if label.category not in ("", *CATEGORIES) or not fits:
        raise BadRequest()
    # The bill's moment is kept along, so that a category is walked in the order of the list.
    rows = await TX.query(
        "insert into bills.label as l (person_id, bill_id, category, note, event_at)"
        " select person_id, bill_id, $3, $4, event_at from bills.bill"
        " where person_id = $1 and bill_id = $2"
        " on conflict (person_id, bill_id) do update"
        " set category = excluded.category, note = excluded.note returning bill_id",
        person_id,
        label.bill_id,
        label.category,
        label.note,
    )
    if not rows:
        raise NotFound()


async def of(person_id: str, bill_ids: tuple[str, ...]) -> tuple[Label, ...]:
    if len(bill_ids) > MAX_ASKED:
        raise BadRequest()
    found = await TX.query_as(
        Label,
        "select bill_id, category, note from bills.label"
        " where person_id = $1 and bill_id = any($2) and (category <> '' or note <> '')",
        person_id,
        list(bill_ids),
    )
    return tuple(found)
