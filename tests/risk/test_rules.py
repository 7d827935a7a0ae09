"""The pure rules: what a payment takes, and what is decided, by facts alone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backend.errors import DomainError
from backend.risk import rules
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
from backend.risk.rules import (
    Charge,
    Facts,
    Machine,
    Need,
    Redemption,
    Spending,
    day_of,
    decide,
    need,
    take,
)

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SOON = NOW + timedelta(hours=3)
BOUND, SYNCED = (b"bound",), (b"synced",)


def spending(**used: int) -> Spending:
    return msgspec.structs.replace(Spending(TODAY, 0, 0, 0, 0, 0, 2026, 0, 0), **used)


def facts(**known: Any) -> Facts:
    base: dict[str, Any] = {
        "amount_fen": 20_00,
        "code": "dynamic",
        "device_id": "dev",
        "trusted_at": NOW,
        "bound_keys": BOUND,
        "spending": spending(),
    }
    return Facts(**(base | known))


NEW: dict[str, Any] = {"packet": True, "created_at": NOW - timedelta(hours=23)}
GROWN: dict[str, Any] = {"packet": True, "created_at": NOW - timedelta(hours=24)}

NEEDS: list[tuple[Facts, str, str, tuple[str, ...]]] = [
    (facts(), "none", "C", ()),
    (facts(amount_fen=500_00), "none", "C", ()),
    (facts(amount_fen=500_01), "passkey", "A", ("over_free_each",)),
    (facts(spending=spending(free_fen=980_00)), "none", "C", ()),
    (facts(spending=spending(free_fen=980_01)), "passkey", "A", ("over_free_day",)),
    (facts(spending=spending(free_count=9)), "none", "C", ()),
    (facts(spending=spending(free_count=10)), "passkey", "A", ("over_free_count",)),
    (facts(code="static"), "none", "D", ()),
    (facts(code="static", spending=spending(free_count=10)), "passkey", "A", ("over_free_count",)),
    (facts(code="static", spending=spending(static_fen=480_00)), "none", "D", ()),
    (
        facts(code="static", spending=spending(static_fen=480_01)),
        "passkey",
        "A",
        ("over_static_day",),
    ),
    (
        facts(code="static", bound_keys=(), synced_keys=SYNCED, spending=spending(free_fen=990_00)),
        "passkey",
        "B",
        ("over_free_day",),
    ),
    (facts(code="static", amount_fen=500_01), "passkey", "A", ("over_free_each",)),
    (facts(code="shown", redemption=Redemption(fits=True)), "none", "C", ()),
    (facts(code="shown", redemption=Redemption(fits=True, ahead=True)), "none", "C", ()),
    (
        facts(code="shown", redemption=Redemption(fits=True, revealed=True)),
        "passkey",
        "A",
        ("digits_revealed",),
    ),
    (
        facts(amount_fen=600_00, bound_keys=(), synced_keys=SYNCED),
        "passkey",
        "B",
        ("over_free_each",),
    ),
    (facts(trusted_at=SOON), "wait", "", ("known_payees_only",)),
    (facts(trusted_at=SOON, known_payee=True), "passkey", "A", ("new_device",)),
    (
        facts(trusted_at=SOON, known_payee=True, amount_fen=1_000_01),
        "wait",
        "",
        ("new_device_day",),
    ),
    (facts(amount_fen=400_00, **NEW, spending=spending(packet_fen=600_00)), "none", "C", ()),
    (facts(amount_fen=400_00, **GROWN, spending=spending(packet_fen=4_600_00)), "none", "C", ()),
    (facts(**GROWN, machine=Machine("dev", TODAY, 9_980_00)), "none", "C", ()),
    (facts(**GROWN, machine=Machine("dev", date.min, 10_000_00)), "none", "C", ()),
    (facts(machine=Machine("dev", TODAY, 10_000_00)), "none", "C", ()),
    (facts(frozen_at=NOW, thaws_at=SOON), "wait", "", ("thawing",)),
    (facts(frozen_at=NOW - timedelta(days=1), thaws_at=NOW), "none", "C", ()),
    (
        facts(spending=msgspec.structs.replace(spending(free_count=10), day=date.min)),
        "none",
        "C",
        (),
    ),
]


@pytest.mark.parametrize(("known", "takes", "level", "reasons"), NEEDS)
def test_what_it_takes(known: Facts, takes: str, level: str, reasons: tuple[str, ...]) -> None:
    answer = need(known, NOW)
    assert (answer.takes, answer.level, answer.reasons) == (takes, level, reasons)
    assert (answer.wait_until == SOON) is (takes == "wait")


REFUSED: list[tuple[Facts, type[DomainError], dict[str, str | int]]] = [
    (facts(device_id=""), DeviceUnknown, {}),
    (facts(frozen_at=NOW), PayerFrozen, {}),
    (facts(payer_alarmed=True), PayerFrozen, {}),
    (facts(payer_alarmed=True, frozen_at=NOW, thaws_at=SOON), PayerFrozen, {}),
    (facts(payee_frozen=True), PayeeFrozen, {}),
    (facts(amount_fen=500_01, bound_keys=()), NeedsPasskey, {}),
    (
        facts(code="static", bound_keys=(), spending=spending(static_fen=480_01)),
        NeedsPasskey,
        {},
    ),
    (
        facts(amount_fen=400_01, **NEW, spending=spending(packet_fen=600_00)),
        LimitExceeded,
        {"limit": "packet_new", "left_fen": 400_00},
    ),
    (
        facts(amount_fen=400_01, **GROWN, spending=spending(packet_fen=4_600_00)),
        LimitExceeded,
        {"limit": "packet_day", "left_fen": 400_00},
    ),
    (
        facts(amount_fen=400_01, **GROWN, machine=Machine("dev", TODAY, 9_600_00)),
        LimitExceeded,
        {"limit": "packet_machine", "left_fen": 400_00},
    ),
    (facts(code="shown"), IntentInvalid, {}),
    (facts(code="shown", device_id="", redemption=Redemption(fits=False)), IntentInvalid, {}),
    (
        facts(code="shown", amount_fen=500_01, redemption=Redemption(fits=True, ahead=True)),
        PasskeyRequired,
        {},
    ),
    (
        facts(code="shown", redemption=Redemption(fits=True, ahead=True, revealed=True)),
        PasskeyRequired,
        {},
    ),
    (
        facts(amount_fen=100, spending=spending(year_fen=100_000_00)),
        LimitExceeded,
        {"limit": "tier_year", "left_fen": 0},
    ),
]


@pytest.mark.parametrize(("known", "refusal", "params"), REFUSED)
def test_what_is_refused(
    known: Facts, refusal: type[DomainError], params: dict[str, str | int]
) -> None:
    for ask in (lambda: need(known, NOW), lambda: decide(known, None, NOW)):
        with pytest.raises(refusal) as refused:
            ask()
        assert refused.value.params == params


def test_a_synced_passkey_has_a_daily_limit() -> None:
    only_synced = facts(
        amount_fen=3_000_01,
        bound_keys=(),
        synced_keys=SYNCED,
        spending=spending(synced_fen=2_000_00),
    )
    with pytest.raises(LimitExceeded) as refused:
        need(only_synced, NOW)
    assert refused.value.params == {"limit": "synced_day", "left_fen": 3_000_00}
    with pytest.raises(LimitExceeded):
        decide(only_synced, True, NOW)
    both = msgspec.structs.replace(only_synced, bound_keys=BOUND)
    assert need(both, NOW) == Need("passkey", "A", ("over_free_each",), keys=BOUND)
    assert decide(both, False, NOW).level == "A"
    small = msgspec.structs.replace(both, amount_fen=3_000_00)
    assert need(small, NOW).keys == BOUND + SYNCED
    assert decide(small, True, NOW).level == "B"


def test_deciding_asks_for_the_passkey_again() -> None:
    with pytest.raises(PasskeyRequired):
        decide(facts(amount_fen=500_01), None, NOW)
    with pytest.raises(PasskeyRequired):
        decide(facts(trusted_at=SOON, known_payee=True), None, NOW)


def test_a_code_issued_ahead_takes_no_passkey() -> None:
    known = facts(code="shown", amount_fen=500_01, redemption=Redemption(fits=True, ahead=True))
    with pytest.raises(PasskeyRequired):
        decide(known, False, NOW)


def test_a_new_device_pays_known_payees_and_little() -> None:
    with pytest.raises(KnownPayeesOnly) as refused:
        decide(facts(trusted_at=SOON - timedelta(minutes=1)), False, NOW)
    assert refused.value.params == {"hours": 3}
    known = facts(trusted_at=SOON, known_payee=True, spending=spending(new_device_fen=990_00))
    with pytest.raises(LimitExceeded) as over:
        decide(known, False, NOW)
    assert over.value.params == {"limit": "new_device_day", "left_fen": 10_00}


@pytest.mark.parametrize(
    ("code", "synced", "level", "used"),
    [
        ("dynamic", None, "C", spending(free_fen=20_00, free_count=1, year_fen=20_00)),
        ("dynamic", False, "A", spending(year_fen=20_00)),
        ("none", True, "B", spending(synced_fen=20_00, year_fen=20_00)),
        (
            "static",
            None,
            "D",
            spending(free_fen=20_00, free_count=1, static_fen=20_00, year_fen=20_00),
        ),
        ("static", False, "A", spending(year_fen=20_00)),
        ("static", True, "B", spending(synced_fen=20_00, year_fen=20_00)),
    ],
)
def test_what_is_used_up(code: str, synced: bool | None, level: str, used: Spending) -> None:
    known = facts(code=code)
    charge = decide(known, synced, NOW)
    assert charge.level == level
    take(known, charge, known.amount_fen)
    assert known.spending == used


def test_days_and_years_turn_in_shanghai() -> None:
    before, after = (
        datetime(2026, 12, 31, 15, 59, tzinfo=UTC),
        datetime(2026, 12, 31, 16, tzinfo=UTC),
    )
    assert (day_of(before), day_of(after)) == (date(2026, 12, 31), date(2027, 1, 1))
    used = spending(free_fen=1, free_count=1, synced_fen=1, static_fen=1, year_fen=1)
    used.roll(TODAY)
    assert used.free_fen == 1
    used.roll(TODAY + timedelta(days=1))
    assert used == msgspec.structs.replace(spending(year_fen=1), day=TODAY + timedelta(days=1))
    used.roll(day_of(after))
    assert used.year_fen == 0


def test_a_charge_of_each_limit_never_passes_it() -> None:
    known = facts(amount_fen=100_00)
    total = 0
    while True:
        try:
            charge: Charge = decide(known, None, NOW)
        except PasskeyRequired:
            break
        take(known, charge, known.amount_fen)
        total += known.amount_fen
    assert total == rules.FREE_DAY_FEN
