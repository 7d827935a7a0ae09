"""Who may open packets: a live device, no freeze, the right person, within what one opens a day."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from backend.db import SEC
from backend.risk.holders import Shown, Use, shown_for
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.pot_forms import MAX_SHARE_FEN
from backend.risk.pots import Pot
from backend.risk.rules import TIER_YEAR_FEN, day_of
from backend.risk.shapes_pot import Opener

OPENED_DAY = 200  # shares per person
OPENED_DAY_FEN = 5_000_00
TRIES_DAY = 1_000  # packets that a person is let pass to; most of them are empty by then
DEVICE_OPENED_DAY = 150  # shares on one machine, whoever uses it
NEW_DEVICE_OPENED_DAY = 20  # while it cools down
NEW_ACCOUNT = timedelta(hours=1)
NEW_ACCOUNT_OPENED_DAY = 20
NEW_ACCOUNT_OPENED_DAY_FEN = 500_00
POT_LIFE = timedelta(hours=24)  # after that nobody opens it, so no share of it is waited for

_KEPT = ("day", "tries", "shares", "fen", "year", "year_fen")

# Each fact is one look-up by key, as in `facts`.
_SQL = """
select d.device_id, d.trusted_at, m.device_id as machine_id, m.opened_day as device_day,
    m.opened as device_shares,
    p.created_at, g.passed_at, g.intent_id is not null as taken, g.device_id as passed_device_id,
    (p.frozen_at is not null and (p.thaws_at is null or p.thaws_at > $4))
        or (select true from risk.frozen_account f
            where f.account_id = 'person:' || q.person_id) is not null as frozen,
    o.day, o.tries, o.shares, o.fen, o.year, o.year_fen, s.year as paid_year,
    s.year_fen as paid_year_fen, w.waiting, w.waiting_fen, w.held_fen,
    x.device_waiting
from unnest($1::text[], $2::text[], $3::bytea[], $5::text[]) with ordinality
    as q (pot_id, person_id, secret_hash, thumbprint, n)
left join lateral (
    (select * from risk.device where secret_hash = q.secret_hash
        and person_id = q.person_id and removed_at is null)
    union all
    (select * from risk.device where key_thumbprint = q.thumbprint
        and person_id = q.person_id and removed_at is null)
    limit 1) d on true
left join lateral (select device_id, opened_day, opened from risk.device
    where device_id = coalesce(d.machine_id, d.device_id) limit 1) m on true
left join lateral (select created_at, frozen_at, thaws_at from risk.person
    where person_id = q.person_id limit 1) p on true
left join lateral (select * from risk.opener where person_id = q.person_id limit 1) o on true
left join lateral (select year, year_fen from risk.spending
    where person_id = q.person_id limit 1) s on true
left join lateral (select passed_at, intent_id, device_id from risk.opening
    where pot_id = q.pot_id and person_id = q.person_id limit 1) g on true
left join lateral (select count(*) as waiting, coalesce(sum(most), 0)::bigint as waiting_fen,
        max(most) filter (where pot_id = q.pot_id) as held_fen
    from (select w.pot_id,
            least($7, t.total_fen - t.taken_fen - (t.shares - t.taken - 1)) as most
        from risk.opening w join risk.pot t using (pot_id)
        where w.person_id = q.person_id and w.intent_id is null and w.passed_at > $6
            and t.end_id is null and t.until_at > $4 and t.taken < t.shares) w) w on true
left join lateral (select count(*) as device_waiting
    from (select device_id, person_id from risk.device where device_id = m.device_id
        union all
        select device_id, person_id from risk.device where machine_id = m.device_id) b
    join risk.opening w on w.person_id = b.person_id and w.device_id = b.device_id
        and w.intent_id is null and w.passed_at > $6
    join risk.pot t using (pot_id)
    where t.end_id is null and t.until_at > $4 and t.taken < t.shares) x on true
order by q.n
"""


class Opened(msgspec.Struct):
    """What a person has opened; older days and years count as nothing."""

    day: date
    tries: int
    shares: int
    fen: int
    year: int
    year_fen: int
    waiting: int = 0  # shares of packets that the person was let pass to, not decided yet
    waiting_fen: int = 0  # the most that these can be

    def roll(self, today: date) -> None:
        if self.day != today:
            self.day, self.tries, self.shares, self.fen = today, 0, 0, 0
        if self.year != today.year:
            self.year, self.year_fen = today.year, 0


class DeviceOpened(msgspec.Struct):
    """On its machine, by all people who use that. waiting: theirs too, let pass and not decided."""

    day: date
    shares: int
    waiting: int = 0

    def roll(self, today: date) -> None:
        if self.day != today:
            self.day, self.shares = today, 0


class Guest(msgspec.Struct):
    """Somebody at a pot. secret_given: False for whoever was let pass before, and has no device at
    hand. passed_at: when they were let pass first; taken: they have their share; held_fen: what is
    counted as waiting for it meanwhile, None where nothing is. paid_year_fen: payments of the year,
    which use up the same limit."""

    pot_id: str
    person_id: str
    secret_given: bool
    device_id: str = ""
    trusted_at: datetime = datetime.min.replace(tzinfo=UTC)
    created_at: datetime = datetime.min.replace(tzinfo=UTC)
    frozen: bool = False
    passed_at: datetime | None = None
    taken: bool = False
    held_fen: int | None = None
    paid_year_fen: int = 0
    opened: Opened | None = None
    device: DeviceOpened | None = None


def refusal(guest: Guest, pot: Pot, now: datetime) -> str:
    """A refusal's code, or "". Whoever was let pass is asked for no limits again."""
    if pot.to_id.startswith("usr_") and pot.to_id != guest.person_id:
        return "not_for_opener"
    if guest.taken:
        return "share_taken"
    if guest.passed_at is not None and not guest.secret_given:
        return ""
    if not guest.secret_given or guest.device is None:
        return "device_unknown"
    if guest.frozen:
        return "opener_frozen"
    return "" if guest.passed_at is not None or not _over(guest, now) else "open_limit"


def _over(guest: Guest, now: datetime) -> bool:
    opened, device = guest.opened, guest.device
    assert opened is not None, "every person has a row"
    assert device is not None, "a live device"
    shares, fen = _day_limits(guest.created_at, now)
    of_device = NEW_DEVICE_OPENED_DAY if guest.trusted_at > now else DEVICE_OPENED_DAY
    return (
        opened.shares + opened.waiting >= shares
        or opened.fen + opened.waiting_fen >= fen
        or opened.tries >= TRIES_DAY
        or opened.year_fen + opened.waiting_fen + guest.paid_year_fen >= TIER_YEAR_FEN
        or device.shares + device.waiting >= of_device
    )


def hold(guest: Guest, pot: Pot) -> None:
    """Let pass now: until it is decided, their share counts as the most that it can be."""
    assert guest.opened is not None, "no refusal: the person is known"
    assert guest.device is not None, "a live device"
    guest.opened.tries += 1
    if pot.taken == pot.shares:
        return
    guest.held_fen = min(MAX_SHARE_FEN, pot.left_fen - (pot.shares - pot.taken - 1))
    guest.opened.waiting += 1
    guest.opened.waiting_fen += guest.held_fen
    guest.device.waiting += 1


def count(guest: Guest, amount_fen: int) -> None:
    """A share that is decided, for the next one of the same batch; it waits no longer."""
    waited, held = guest.held_fen is not None, guest.held_fen or 0
    guest.held_fen = None
    if guest.opened is not None:
        guest.opened.shares += 1
        guest.opened.fen += amount_fen
        guest.opened.year_fen += amount_fen
        guest.opened.waiting -= waited
        guest.opened.waiting_fen -= held
    if guest.device is not None:
        guest.device.shares += 1
        guest.device.waiting -= waited


def _day_limits(created_at: datetime, now: datetime) -> tuple[int, int]:
    """Shares and fen that one may open on a day."""
    if now - created_at < NEW_ACCOUNT:
        return NEW_ACCOUNT_OPENED_DAY, NEW_ACCOUNT_OPENED_DAY_FEN
    return OPENED_DAY, OPENED_DAY_FEN


async def opened_by(person_id: str, now: datetime) -> tuple[Opened, tuple[int, int]]:
    """What a person has opened, and may open on a day: shares and fen."""
    [row] = await SEC.query(
        "select o.*, p.created_at from risk.opener o join risk.person p using (person_id) "
        "where person_id = $1",
        person_id,
    )
    opened = Opened(*(row[name] for name in _KEPT))
    opened.roll(day_of(now))
    return opened, _day_limits(row["created_at"], now)


async def guests_of(parts: Parts, asked: Sequence[tuple[str, Opener]]) -> list[Guest]:
    """In the order asked: pot id and opener. Their counters are locked, in the order of ids, and
    after them those of their machines; who is there twice is one guest, and who opens two packets
    at once has one count."""
    now, people = parts.clock.now(), [opener.person_id for _, opener in asked]
    await SEC.query(
        "select 1 from risk.opener where person_id = any($1) order by person_id for no key update",
        people,
    )
    uses = [Use(opener.device_secret, Operation.OPEN, pot_id) for pot_id, opener in asked]
    holders = await shown_for(parts, uses)
    await _lock_machines(holders)
    rows = await SEC.query(
        _SQL,
        [pot_id for pot_id, _ in asked],
        people,
        [holder.secret_hash for holder in holders],
        now,
        [holder.thumbprint for holder in holders],
        now - POT_LIFE,
        MAX_SHARE_FEN,
    )
    counts: dict[str, Opened] = {}
    devices: dict[str, DeviceOpened] = {}
    guests: dict[tuple[str, str], Guest] = {}
    for (pot_id, opener), row in zip(asked, rows, strict=True):
        guest = _guest(pot_id, opener, row)
        if row["day"] is not None:
            made = Opened(**{name: row[name] for name in Opened.__struct_fields__})
            guest.held_fen = row["held_fen"]
            if row["paid_year"] == day_of(now).year:
                guest.paid_year_fen = row["paid_year_fen"]
            guest.opened = counts.setdefault(guest.person_id, made)
            guest.opened.roll(day_of(now))
        if row["device_id"] is not None:
            found = DeviceOpened(row["device_day"], row["device_shares"], row["device_waiting"])
            guest.device = devices.setdefault(row["machine_id"], found)
            guest.device.roll(day_of(now))
        guests.setdefault((pot_id, opener.person_id), guest)
    return [guests[pot_id, opener.person_id] for pot_id, opener in asked]


async def _lock_machines(holders: Sequence[Shown]) -> None:
    """People who share one have counters of their own, so these would not keep them apart. Before
    anything of it is read: what another batch let pass meanwhile is waiting by then."""
    await SEC.query(
        "select 1 from risk.device where device_id in (select coalesce(d.machine_id, d.device_id) "
        "from risk.device d where d.secret_hash = any($1) or d.key_thumbprint = any($2)) "
        "order by device_id for no key update",
        [holder.secret_hash for holder in holders if holder.secret_hash],
        [holder.thumbprint for holder in holders if holder.thumbprint],
    )


def _guest(pot_id: str, opener: Opener, row: asyncpg.Record) -> Guest:
    guest = Guest(
        pot_id,
        opener.person_id,
        bool(opener.device_secret),
        device_id=row["passed_device_id"] or "",
        passed_at=row["passed_at"],
        taken=row["taken"],
    )
    if row["device_id"] is not None:
        guest.device_id, guest.trusted_at = row["device_id"], row["trusted_at"]
        guest.created_at, guest.frozen = row["created_at"], row["frozen"]
    return guest


async def let_pass(guests: Sequence[Guest], now: datetime) -> None:
    """Those that `refusal` has nothing against, and who were not let pass before."""
    if not guests:
        return
    await SEC.query(
        "with passed as (insert into risk.opening (pot_id, person_id, device_id, passed_at) "
        "select u.*, $4 from unnest($1::text[], $2::text[], $3::text[]) u returning person_id) "
        "update risk.opener o set day = $5, year = $6, "
        "tries = case when o.day = $5 then o.tries else 0 end + n.tries, "
        "shares = case when o.day = $5 then o.shares else 0 end, "
        "fen = case when o.day = $5 then o.fen else 0 end, "
        "year_fen = case when o.year = $6 then o.year_fen else 0 end "
        "from (select person_id, count(*) as tries from passed group by person_id) n "
        "where o.person_id = n.person_id",
        [guest.pot_id for guest in guests],
        [guest.person_id for guest in guests],
        [guest.device_id for guest in guests],
        now,
        day_of(now),
        day_of(now).year,
    )


class Given(msgspec.Struct, frozen=True):
    """A share that was allowed."""

    guest: Guest
    intent_id: str
    amount_fen: int


async def give(shares: Sequence[Given], now: datetime) -> None:
    """Each has its opening, by `let_pass`; the counters are those of `gather`, moved on."""
    if not shares:
        return
    await SEC.query(_GIVE, *_columns(shares), day_of(now), day_of(now).year)


def _columns(
    shares: Sequence[Given],
) -> tuple[list[str], list[str], list[str], list[str], list[int]]:
    return (
        [s.guest.pot_id for s in shares],
        [s.guest.person_id for s in shares],
        [s.guest.device_id for s in shares],
        [s.intent_id for s in shares],
        [s.amount_fen for s in shares],
    )


_GIVE = """
with given as (
    update risk.opening g set intent_id = u.intent_id, amount_fen = u.amount_fen, day = $6,
        device_id = u.device_id
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
        as u (pot_id, person_id, device_id, intent_id, amount_fen)
    where g.pot_id = u.pot_id and g.person_id = u.person_id
    returning g.person_id, g.device_id, g.amount_fen),
on_machine as (
    select coalesce(d.machine_id, d.device_id) as machine_id, count(*) as shares
    from given join risk.device d using (device_id) group by 1),
locked as materialized (  -- people of several machines come in any order
    select device_id from risk.device where device_id in (select machine_id from on_machine)
    order by device_id for no key update),
of_device as (
    update risk.device d set opened_day = $6,
        opened = case when d.opened_day = $6 then d.opened else 0 end + n.shares
    from on_machine n join locked on locked.device_id = n.machine_id
    where d.device_id = n.machine_id)
update risk.opener o set day = $6, year = $7,
    tries = case when o.day = $6 then o.tries else 0 end,
    shares = case when o.day = $6 then o.shares else 0 end + n.shares,
    fen = case when o.day = $6 then o.fen else 0 end + n.fen,
    year_fen = case when o.year = $7 then o.year_fen else 0 end + n.fen
from (select person_id, count(*) as shares, sum(amount_fen) as fen from given group by person_id) n
where o.person_id = n.person_id
"""
