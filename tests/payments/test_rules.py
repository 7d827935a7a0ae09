"""Pure decisions: names, and the order of refusals."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from backend.errors import DomainError
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.rules import check_payable, masked

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOON, AGO = NOW + timedelta(minutes=1), NOW - timedelta(minutes=1)


@pytest.mark.parametrize(("name", "seen"), [("李明", "*明"), ("Anna", "*nna"), ("王", "*")])
def test_names_are_masked(name: str, seen: str) -> None:
    assert masked(name) == seen


ORDER = OrderRow(
    order_id="ord_1",
    payee_id="mch_1",
    owner_id="usr_owner",
    payee_name="n",
    amount_fen=1,
    note="",
    status="open",
    created_at=AGO,
    expires_at=SOON,
    paid_at=None,
    payment_id=None,
    claimed_until=None,
)
HOLDER = PaymentRow(
    payment_id="pay_holder",
    order_id="ord_1",
    payer_id="usr_holder",
    payee_id="mch_1",
    payee_name="n",
    amount_fen=1,
    fee_fen=0,
    level="",
    status="created",
    refusal_code="",
    event_at=AGO,
    created_at=AGO,
    posted_at=None,
    journal_seq=None,
    payer_name="*",
    owner_id="usr_owner",
    note="",
    intent=b"",
    verdict=None,
    refusal=None,
    deadline_at=SOON,
)
AUTHORIZED = msgspec.structs.replace(HOLDER, status="authorized")


@pytest.mark.parametrize(
    ("status", "expires_at", "claimed_until", "holder", "payer", "code"),
    [
        ("open", SOON, None, None, "usr_me", ""),
        ("open", SOON, None, None, "usr_owner", "own_shop"),
        ("open", NOW, None, None, "usr_me", "order_expired"),
        ("open", NOW, None, None, "usr_owner", "order_expired"),
        ("expired", SOON, None, None, "usr_me", "order_expired"),
        ("cancelled", SOON, None, None, "usr_me", "order_cancelled"),
        ("cancelled", AGO, None, None, "usr_owner", "order_cancelled"),
        ("paid", AGO, None, HOLDER, "usr_me", "order_paid"),
        ("paid", AGO, None, HOLDER, "usr_owner", "order_paid"),
        ("paying", SOON, SOON, HOLDER, "usr_me", "order_busy"),
        ("paying", SOON, SOON, HOLDER, "usr_owner", "order_busy"),
        ("paying", SOON, SOON, HOLDER, "usr_holder", ""),
        ("paying", SOON, NOW, HOLDER, "usr_me", ""),
        ("paying", SOON, NOW, HOLDER, "usr_owner", "own_shop"),
        ("paying", NOW, SOON, HOLDER, "usr_me", "order_expired"),
        ("paying", NOW, NOW, HOLDER, "usr_holder", "order_expired"),
        ("paying", SOON, NOW, AUTHORIZED, "usr_me", "order_busy"),
        ("paying", SOON, SOON, AUTHORIZED, "usr_holder", "order_busy"),
        ("paying", NOW, NOW, AUTHORIZED, "usr_me", "order_busy"),
    ],
)
def test_the_first_reason_in_the_documented_order_counts(
    status: str,
    expires_at: datetime,
    claimed_until: datetime | None,
    holder: PaymentRow | None,
    payer: str,
    code: str,
) -> None:
    order = msgspec.structs.replace(
        ORDER,
        status=status,
        expires_at=expires_at,
        claimed_until=claimed_until,
        payment_id=holder.payment_id if holder else None,
    )
    expected = pytest.raises(DomainError, match=f"^\\('{code}'") if code else nullcontext()
    with expected:
        check_payable(order, holder, payer, "pay_mine", NOW)


def test_a_payment_does_not_stand_in_its_own_way() -> None:
    order = msgspec.structs.replace(
        ORDER, status="paying", claimed_until=SOON, payment_id="pay_holder"
    )
    for holder in (HOLDER, AUTHORIZED):
        check_payable(order, holder, "usr_holder", "pay_holder", NOW)
