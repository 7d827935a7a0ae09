"""The limits page: what there is, what is used, and of which level."""

from datetime import datetime

from backend.errors import NotFound
from backend.risk import Limit, openers, reservations, rules, withdrawal_rules
from backend.risk.facts import Asked, gather
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.rules import Facts


async def of_person(parts: Parts, person_id: str, device_secret: str) -> tuple[Limit, ...]:
    """The new device's limit only while it applies. Refuses: NotFound."""
    now = parts.clock.now()
    asked = Asked(Operation.LIMITS, person_id, "", 0, "none", device_secret)
    [facts] = await gather(parts, [asked])
    if not facts.device_id:
        raise NotFound()
    used = facts.spending
    used.roll(rules.day_of(now))
    limits: tuple[Limit, ...] = (
        Limit("free_each", "C", "each", rules.FREE_EACH_FEN, 0, counts=False),
        Limit("free_day", "C", "day", rules.FREE_DAY_FEN, used.free_fen, counts=False),
        Limit("free_count", "C", "day", rules.FREE_DAY_COUNT, used.free_count, counts=True),
        Limit("static_day", "D", "day", rules.STATIC_DAY_FEN, used.static_fen, counts=False),
        Limit("synced_day", "B", "day", rules.SYNCED_DAY_FEN, used.synced_fen, counts=False),
        Limit("tier_year", "A", "year", rules.TIER_YEAR_FEN, facts.tier_fen, counts=False),
    )
    limits += _of_packets(facts, now)
    limits += await _of_withdrawals(person_id, now)
    limits += await _of_opener(person_id, facts.tier_fen, now)
    if facts.trusted_at <= now:
        return limits
    new_fen = used.new_device_fen
    return (
        Limit("new_device_day", "", "day", rules.NEW_DEVICE_DAY_FEN, new_fen, counts=False),
        *limits,
    )


def _of_packets(facts: Facts, now: datetime) -> tuple[Limit, ...]:
    """A new account's only while it applies; the machine's counts what others sent on it too."""
    facts.machine.roll(rules.day_of(now))
    fen, on_machine = facts.spending.packet_fen, facts.machine.packet_fen
    limits = (
        Limit("packet_day", "", "day", rules.PACKET_DAY_FEN, fen, counts=False),
        Limit("packet_machine", "", "day", rules.PACKET_MACHINE_DAY_FEN, on_machine, counts=False),
    )
    if not facts.new_account(now):
        return limits
    new = Limit("packet_new", "", "day", rules.PACKET_NEW_ACCOUNT_DAY_FEN, fen, counts=False)
    return (new, *limits)


async def _of_withdrawals(person_id: str, now: datetime) -> tuple[Limit, ...]:
    each, used = withdrawal_rules.EACH_FEN, await reservations.withdrawn(person_id, now)
    return (
        Limit(withdrawal_rules.EACH_LIMIT, "", "each", each, 0, counts=False),
        *(
            Limit(withdrawal_rules.DAY_LIMIT[speed], "", "day", fen, used.get(speed, 0), False)
            for speed, fen in withdrawal_rules.DAY_FEN.items()
        ),
        Limit(
            withdrawal_rules.SYNCED_LIMIT,
            "B",
            "day",
            withdrawal_rules.SYNCED_DAY_FEN,
            used.get(withdrawal_rules.SYNCED, 0),
            counts=False,
        ),
    )


async def _of_opener(person_id: str, year_fen: int, now: datetime) -> tuple[Limit, ...]:
    """What the person may open: less while the account is new. Of the year, what was paid is in the
    same sum."""
    used, (shares, fen) = await openers.opened_by(person_id, now)
    return (
        Limit("opened_count", "", "day", shares, used.shares, counts=True),
        Limit("opened_day", "", "day", fen, used.fen, counts=False),
        Limit("opened_year", "", "year", rules.TIER_YEAR_FEN, year_fen, counts=False),
    )
