"""The rules of levels and limits. Facts in, answer out; nothing is fetched or stored here."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import msgspec

from backend.errors import DomainError
from backend.risk.refusals import (
    DeviceUnknown,
    IntentInvalid,
    KnownPayeesOnly,
    LimitExceeded,
    NeedsPasskey,
    PasskeyRequired,
    PayeeFrozen,
    PayerFrozen,
)

# 2: a passkey lifts the limit of static codes; payment codes. 3: pots. 4: packets of new accounts,
# and by machine.
RULE_VERSION = 4

FREE_EACH_FEN = 500_00  # level C: without passkey on a bound device
FREE_DAY_FEN = 1_000_00
FREE_DAY_COUNT = 10
SYNCED_DAY_FEN = 5_000_00  # level B: synced passkey
STATIC_DAY_FEN = 500_00  # level D: static code without passkey
NEW_DEVICE_DAY_FEN = 1_000_00
PACKET_DAY_FEN = 5_000_00  # put into red packets
PACKET_NEW_ACCOUNT = timedelta(hours=24)
PACKET_NEW_ACCOUNT_DAY_FEN = 1_000_00
PACKET_MACHINE_DAY_FEN = 10_000_00  # on one machine, whoever uses it
# Tier II, phone and card proven: all payments of a year, and what was opened, together.
TIER_YEAR_FEN = 100_000_00

NEW_DEVICE_COOL_DOWN = timedelta(hours=12)
THAW_WAIT = timedelta(hours=12)

SHANGHAI = timezone(timedelta(hours=8))  # no daylight saving since 1991


def day_of(at: datetime) -> date:
    """The day that limits count by."""
    return at.astimezone(SHANGHAI).date()


class Spending(msgspec.Struct):
    """What a person has used. `day` and `year` say of when; older figures count as nothing."""

    day: date
    free_fen: int
    free_count: int
    synced_fen: int
    static_fen: int
    new_device_fen: int
    year: int
    year_fen: int
    packet_fen: int

    def roll(self, today: date) -> None:
        if self.day != today:
            self.day = today
            self.free_fen = self.free_count = self.synced_fen = 0
            self.static_fen = self.new_device_fen = self.packet_fen = 0
        if self.year != today.year:
            self.year, self.year_fen = today.year, 0


def of_year(spending: Spending, opened_year: int, opened_fen: int) -> int:
    """One sum for what was paid and what was opened, in the year that `spending` is of."""
    return spending.year_fen + (opened_fen if opened_year == spending.year else 0)


class Machine(msgspec.Struct):
    """What all who use the payer's machine have put into red packets on `day`; an older figure
    counts as nothing. machine_id: of the first device that was seen on it."""

    machine_id: str
    day: date
    packet_fen: int

    def roll(self, today: date) -> None:
        if self.day != today:
            self.day, self.packet_fen = today, 0


class Redemption(msgspec.Struct, frozen=True):
    """Of the payment code that this payment burnt. fits: its shop and amount are this payment's."""

    fits: bool
    ahead: bool = False
    revealed: bool = False


class Facts(msgspec.Struct, kw_only=True):
    """Of one payment, as the registry knows them. device_id "": no live device of the payer."""

    amount_fen: int
    code: str
    packet: bool = False  # it funds a red packet
    device_id: str = ""
    trusted_at: datetime = datetime.min.replace(tzinfo=UTC)
    created_at: datetime = datetime.min.replace(tzinfo=UTC)  # the payer's account
    frozen_at: datetime | None = None
    thaws_at: datetime | None = None
    payer_alarmed: bool = False
    payee_frozen: bool = False
    known_payee: bool = False
    bound_keys: tuple[bytes, ...] = ()  # credential ids of device-bound passkeys
    synced_keys: tuple[bytes, ...] = ()
    redemption: Redemption | None = None  # for code "shown"
    spending: Spending = msgspec.field(
        default_factory=lambda: Spending(date.min, 0, 0, 0, 0, 0, 1, 0, 0)
    )
    machine: Machine = msgspec.field(default_factory=lambda: Machine("", date.min, 0))
    opened_year: int = 1  # of which year the next one is
    opened_year_fen: int = 0  # out of red packets

    @property
    def tier_fen(self) -> int:
        """What the year's limit is used up by, once `spending` is of today."""
        return of_year(self.spending, self.opened_year, self.opened_year_fen)

    def new_account(self, now: datetime) -> bool:
        """It may put less into red packets."""
        return now - self.created_at < PACKET_NEW_ACCOUNT

    @property
    def static(self) -> bool:
        return self.code == "static"

    @property
    def ahead(self) -> bool:
        return self.redemption is not None and self.redemption.ahead

    @property
    def revealed(self) -> bool:
        return self.redemption is not None and self.redemption.revealed


class Charge(msgspec.Struct, frozen=True):
    """Which limits a payment uses up, beside the year's."""

    level: str
    free: bool
    synced: bool
    static: bool
    new_device: bool
    packet: bool = False


class Need(msgspec.Struct, frozen=True):
    """takes: "none", "passkey", "wait". `keys`: the passkeys that would do."""

    takes: str
    level: str
    reasons: tuple[str, ...] = ()
    wait_until: datetime | None = None
    keys: tuple[bytes, ...] = ()


def is_frozen(frozen_at: datetime | None, thaws_at: datetime | None, now: datetime) -> bool:
    """A freeze ends by itself when its thaw is over; the clock says so, no job does."""
    return frozen_at is not None and (thaws_at is None or thaws_at > now)


def need(facts: Facts, now: datetime) -> Need:
    """What the payment takes. Refuses: DeviceUnknown, PayerFrozen, PayeeFrozen, LimitExceeded,
    NeedsPasskey, IntentInvalid, PasskeyRequired (a code issued ahead)."""
    facts.spending.roll(day_of(now))
    facts.machine.roll(day_of(now))
    wait = _thaw(facts, now)
    refuse_standing(facts, None if wait else now)
    _refuse_over(facts, now, synced=False)
    wait = wait or _cool_down(facts, now)
    if wait is not None:
        return wait
    over = tuple(_over_free(facts, now))
    if not over:
        return Need("none", _free_level(facts))
    if facts.ahead:  # given out for bad networks: the payer may not be there to be asked
        raise PasskeyRequired()
    if not facts.bound_keys and not facts.synced_keys:
        raise NeedsPasskey()
    return _with_passkey(facts, over)


def decide(facts: Facts, synced: bool | None, now: datetime) -> Charge:
    """The level, at the moment of consent. `synced`: of the passkey that signed, None without.

    Refuses: as `need`, and PasskeyRequired, KnownPayeesOnly.
    """
    facts.spending.roll(day_of(now))
    facts.machine.roll(day_of(now))
    refuse_standing(facts, now)
    new = facts.trusted_at > now
    if new and not facts.known_payee:
        raise KnownPayeesOnly(hours=_hours(facts.trusted_at - now))
    _refuse_over(facts, now, synced=bool(synced), new_device=new)
    if (synced is None or facts.ahead) and any(_over_free(facts, now)):
        has_key = facts.bound_keys or facts.synced_keys
        raise PasskeyRequired() if has_key or facts.ahead else NeedsPasskey()
    return Charge(
        _free_level(facts) if synced is None else "B" if synced else "A",
        free=synced is None,
        synced=bool(synced),
        static=facts.static and synced is None,
        new_device=new,
        packet=facts.packet,
    )


def take(facts: Facts, charge: Charge, amount_fen: int) -> None:
    """Use up what `charge` names; `decide` has said that it fits."""
    spending = facts.spending
    facts.machine.packet_fen += amount_fen * charge.packet
    spending.year_fen += amount_fen
    spending.free_fen += amount_fen * charge.free
    spending.free_count += charge.free
    spending.synced_fen += amount_fen * charge.synced
    spending.static_fen += amount_fen * charge.static
    spending.new_device_fen += amount_fen * charge.new_device
    spending.packet_fen += amount_fen * charge.packet


def refuse_standing(facts: Facts, now: datetime | None) -> None:
    """What no passkey changes. now: None where a running thaw is answered with a wait instead.

    Refuses: IntentInvalid (a payment code that was not read for it), DeviceUnknown, PayerFrozen,
    PayeeFrozen.
    """
    if facts.code == "shown" and not (facts.redemption and facts.redemption.fits):
        raise IntentInvalid()
    if not facts.device_id:
        raise DeviceUnknown()
    frozen = now is not None and is_frozen(facts.frozen_at, facts.thaws_at, now)
    if frozen or facts.payer_alarmed:
        raise PayerFrozen()
    if facts.payee_frozen:
        raise PayeeFrozen()


def _thaw(facts: Facts, now: datetime) -> Need | None:
    if facts.thaws_at is None or facts.thaws_at <= now:
        return None
    return Need("wait", "", ("thawing",), facts.thaws_at)


def _cool_down(facts: Facts, now: datetime) -> Need | None:
    if facts.trusted_at <= now:
        return None
    if not facts.known_payee:
        return Need("wait", "", ("known_payees_only",), facts.trusted_at)
    if facts.spending.new_device_fen + facts.amount_fen > NEW_DEVICE_DAY_FEN:
        return Need("wait", "", ("new_device_day",), facts.trusted_at)
    return None


def _refuse_over(facts: Facts, now: datetime, *, synced: bool, new_device: bool = False) -> None:
    used, packet = facts.spending, facts.packet
    new_account, on_machine = facts.new_account(now), facts.machine.packet_fen
    for applies, name, limit, so_far in (
        (new_device, "new_device_day", NEW_DEVICE_DAY_FEN, used.new_device_fen),
        (synced, "synced_day", SYNCED_DAY_FEN, used.synced_fen),
        (packet and new_account, "packet_new", PACKET_NEW_ACCOUNT_DAY_FEN, used.packet_fen),
        (packet, "packet_day", PACKET_DAY_FEN, used.packet_fen),
        (packet, "packet_machine", PACKET_MACHINE_DAY_FEN, on_machine),
        (True, "tier_year", TIER_YEAR_FEN, facts.tier_fen),
    ):
        if applies and so_far + facts.amount_fen > limit:
            raise _exceeded(name, limit - so_far)


def _exceeded(name: str, left_fen: int) -> DomainError:
    return LimitExceeded(limit=name, left_fen=max(0, left_fen))


def _over_free(facts: Facts, now: datetime) -> Iterator[str]:
    """Why a passkey is asked for; nothing where level C will do."""
    if facts.trusted_at > now:
        yield "new_device"
    if facts.revealed:
        yield "digits_revealed"
    if facts.amount_fen > FREE_EACH_FEN:
        yield "over_free_each"
    else:
        if facts.static and facts.spending.static_fen + facts.amount_fen > STATIC_DAY_FEN:
            yield "over_static_day"
        if facts.spending.free_fen + facts.amount_fen > FREE_DAY_FEN:
            yield "over_free_day"
    if facts.spending.free_count >= FREE_DAY_COUNT:
        yield "over_free_count"


def _with_passkey(facts: Facts, reasons: tuple[str, ...]) -> Need:
    left = SYNCED_DAY_FEN - facts.spending.synced_fen
    synced_will_do = facts.amount_fen <= left
    if not facts.bound_keys and not synced_will_do:
        raise _exceeded("synced_day", left)
    keys = facts.bound_keys + (facts.synced_keys if synced_will_do else ())
    return Need("passkey", "A" if facts.bound_keys else "B", reasons, keys=keys)


def _free_level(facts: Facts) -> str:
    return "D" if facts.static else "C"


def _hours(left: timedelta) -> int:
    """Whole hours, rounded up."""
    return -(-left // timedelta(hours=1))
