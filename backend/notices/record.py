"""Writing notices: in the transaction of the event, by the outbox's own hand (see services.py)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend import ids
from backend.clock import Clock
from backend.db import TX
from backend.events import News
from backend.notices.kinds import KINDS, Rule

PREFIX = "ntc"
MAX_LABEL = 64

_PERSON = "person:"

# A second event of the same thing brings its notice up again. Rows go in by person and thing, so
# that two writers of the same notices wait for each other in the same order.
_PUT = """
insert into notices.notice as n (person_id, notice_id, kind, area, ref, label, at)
select * from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]
) as given (person_id, notice_id, kind, area, ref, label, at)
where not exists (
    select from notices.silenced s where s.person_id = given.person_id and s.kind = given.kind
)
order by person_id, kind, ref
on conflict (person_id, kind, ref) do update
set notice_id = excluded.notice_id, label = excluded.label, at = excluded.at, read_at = null
"""


class Told(msgspec.Struct, frozen=True):
    """A notice that is about to be written."""

    person_id: str
    rule: Rule
    ref: str
    at: datetime
    label: str = ""


class Recorder:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def note(self, news: tuple[News, ...]) -> None:
        """Of the news that are about to be recorded, what people are told."""
        now = self._clock.now()
        await put(
            [
                Told(person_id, KINDS[each.kind], each.ref, now)
                for each in news
                if each.kind in KINDS and not each.quiet and (person_id := _person(each.topic))
            ]
        )


async def put(told: Sequence[Told]) -> None:
    """Inside the caller's transaction."""
    # One statement can't renew a notice twice: the last word on a thing is told.
    rows = list({(each.person_id, each.rule.kind, each.ref): each for each in told}.values())
    if not rows:
        return
    await TX.query(
        _PUT,
        [row.person_id for row in rows],
        [ids.new(PREFIX) for _ in rows],
        [row.rule.kind for row in rows],
        [row.rule.area for row in rows],
        [row.ref for row in rows],
        [row.label[:MAX_LABEL] for row in rows],
        [row.at for row in rows],
    )


def _person(topic: str) -> str:
    """The topic's person, "" if it is another's or nobody's."""
    person_id = topic.removeprefix(_PERSON)
    return person_id if topic.startswith(_PERSON) and ids.is_id(person_id, "usr") else ""
