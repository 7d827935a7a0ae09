"""What happened to accounts' security, for whoever has to tell their owners."""

from backend.db import SEC
from backend.risk.shapes import Seen, SeenMark

MAX_SEEN = 200

# Below the oldest transaction that still runs nothing can appear any more: who goes on after the
# last one read misses nothing, however late another commits.
_SEEN = """
select e.xact, e.event_seq as seq, e.kind, e.device_id, coalesce(d.label, '') as label,
    split_part(e.person_id, ':', -1) as person_id, e.happened_at as at
from risk.security_event e left join risk.device d on d.device_id = e.device_id
where (e.xact, e.event_seq) > ($1, $2)
    and e.xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
order by e.xact, e.event_seq limit $3
"""


async def after(mark: SeenMark) -> tuple[Seen, ...]:
    rows = await SEC.query(_SEEN, mark.xact, mark.seq, MAX_SEEN)
    return tuple(
        Seen(
            SeenMark(row["xact"], row["seq"]),
            row["person_id"],
            row["kind"],
            row["device_id"],
            row["label"],
            row["at"],
        )
        for row in rows
    )
