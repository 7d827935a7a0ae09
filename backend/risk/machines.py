"""What is put into red packets on one machine, by all people who use it together."""

from collections.abc import Sequence
from datetime import date

from backend.db import SEC
from backend.risk.rules import Machine


async def lock(machines: Sequence[Machine]) -> None:
    """After the payers' counters and the pots, in the order of ids; read again under the lock, for
    others on the same machine have counters of their own."""
    if not machines:
        return
    rows = await SEC.query(
        "select device_id, packet_day, packet_fen from risk.device where device_id = any($1) "
        "order by device_id for no key update",
        [machine.machine_id for machine in machines],
    )
    found: dict[str, tuple[date, int]] = {
        row["device_id"]: (row["packet_day"], row["packet_fen"]) for row in rows
    }
    for machine in machines:
        machine.day, machine.packet_fen = found[machine.machine_id]


async def keep(machines: Sequence[Machine]) -> None:
    """Write back what was read under the lock."""
    if not machines:
        return
    await SEC.query(
        "update risk.device d set packet_day = u.day, packet_fen = u.fen "
        "from unnest($1::text[], $2::date[], $3::bigint[]) as u (machine_id, day, fen) "
        "where d.device_id = u.machine_id",
        [machine.machine_id for machine in machines],
        [machine.day for machine in machines],
        [machine.packet_fen for machine in machines],
    )
