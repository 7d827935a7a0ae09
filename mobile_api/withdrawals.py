"""Withdrawals: from the balance to one's own card, at once or on the next day."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.banking import (
    ConfirmWithdrawal,
    Speed,
    SpeedTerms,
    StartWithdrawal,
    Withdrawal,
    WithdrawalStarted,
)
from backend.ids import Id
from backend.money import MAX_AMOUNT_FEN
from backend.services import Services
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation, RequirementView, requirement_view, until_done
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Money,
    Page,
    amount_of,
    limited,
    page_of,
    timestamp,
    timestamp_or_none,
)

QuotedFen = Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT_FEN)]


class NewWithdrawal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amount leaves the balance; a fee is part of it. speed: "instant", or "next_day": it leaves
    the balance at once and is handed to the bank the next day at 09:00, China's time."""

    card: Id
    amount: Money
    speed: Speed


class SpeedView(msgspec.Struct, frozen=True, kw_only=True):
    """The bank gets the order at `handed_over`; by `arrives_by` the money is on the card, or back.
    left: of the day's limit."""

    speed: str
    fee: Amount
    on_card: Amount
    handed_over: str
    arrives_by: str
    left: Amount
    limit_day: Amount


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is stored. limit_each: of one withdrawal."""

    object: str = "withdrawal_quote"
    amount: Amount
    available: Amount
    limit_each: Amount
    speeds: tuple[SpeedView, ...]


class WithdrawalView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (to be confirmed by `confirm_by`), "authorized" (agreed, not in the books
    yet), "posted" (out of the balance, on its way), "paid" (on the card), "returned" (the bank
    refused; all of it is back), "refused" (nothing moved). It ends by `arrives_by`. refusal: why,
    a refusal's code. Clients must accept further values of `status` and `speed`."""

    object: str = "withdrawal"
    id: str
    card: str
    bank_name: str
    last4: str
    amount: Amount
    fee: Amount
    on_card: Amount
    speed: str
    status: str
    refusal: str | None
    created: str
    confirm_by: str
    handed_over: str
    arrives_by: str
    posted: str | None
    ended: str | None
    requirement: RequirementView | None = None


@get("/v1/withdrawals/quote")
async def quote(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    amount: FromQuery[QuotedFen] = 0,
) -> QuoteView:
    """What a withdrawal of that many fen would cost, when it would arrive, and what is left of the
    limits.

    Refuses: bad_request, not_found."""
    found = await services.banking.withdrawal_terms(caller.person.person_id, amount, caller.proof)
    return QuoteView(
        amount=amount_of(amount),
        available=amount_of(found.available_fen),
        limit_each=amount_of(found.each_fen),
        speeds=tuple(_speed(terms, amount) for terms in found.speeds),
    )


@post("/v1/withdrawals", status_code=201)
async def create(
    data: JSONBody[NewWithdrawal],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> WithdrawalView:
    """Begin a withdrawal; it always takes a passkey. Nothing moves before it is confirmed.

    Refuses: bad_request, not_found, card_not_bound, card_not_proven, card_mismatch,
    balance_too_low, withdrawal_too_small, too_many_unconfirmed, withdrawal_lapsed, limit_exceeded,
    needs_passkey, payer_frozen, device_unknown, intent_expired, id_reused."""
    start = StartWithdrawal(
        withdrawal_id=once.id("wdr"),
        person_id=caller.person.person_id,
        card_id=data.card,
        amount_fen=data.amount.amount,
        speed=data.speed,
        device_secret=caller.proof,
        address=caller.address,
    )
    return until_done(once, _started(await services.banking.start_withdrawal(start)))


@get("/v1/withdrawals")
async def list_withdrawals(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[WithdrawalView]:
    """List the caller's withdrawals that were confirmed.

    Refuses: bad_request."""
    person_id = caller.person.person_id
    found = await services.banking.withdrawals(person_id, cursor, limited(limit))
    return page_of([_view(each) for each in found.withdrawals], found.next_cursor)


@get("/v1/withdrawals/{withdrawal_id:str}")
async def show(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    withdrawal_id: FromPath[str],
) -> WithdrawalView:
    """What became of a withdrawal.

    Refuses: not_found."""
    found_id = checked(withdrawal_id, "wdr")
    return _view(await services.banking.withdrawal(caller.person.person_id, found_id))


@post("/v1/withdrawals/{withdrawal_id:str}/ceremony", status_code=200, opt=FRESH)
async def begin(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    withdrawal_id: FromPath[str],
) -> WithdrawalView:
    """Open a fresh ceremony for a withdrawal that waits for its passkey.

    Refuses: not_found, card_not_proven, card_mismatch, withdrawal_lapsed, limit_exceeded,
    needs_passkey, payer_frozen, device_unknown, intent_expired."""
    person_id, found_id = caller.person.person_id, checked(withdrawal_id, "wdr")
    found = await services.banking.withdrawal(person_id, found_id)
    again = found.begun_again(caller.proof, caller.address)
    return _started(await services.banking.start_withdrawal(again))


@post("/v1/withdrawals/{withdrawal_id:str}/confirm", status_code=200)
async def confirm(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    withdrawal_id: FromPath[str],
) -> WithdrawalView:
    """The passkey's answer; the money leaves the balance. What the bank refuses is the withdrawal's
    end, and the money is back.

    Refuses: bad_request, not_found, passkey_refused, passkey_required, ceremony_invalid,
    intent_expired, intent_used, intent_invalid, withdrawal_lapsed, limit_exceeded, device_too_new,
    payer_frozen, account_frozen, device_unknown, insufficient_funds."""
    answer = ConfirmWithdrawal(
        withdrawal_id=checked(withdrawal_id, "wdr"),
        person_id=caller.person.person_id,
        device_secret=caller.proof,
        ceremony_id=data.ceremony_id,
        response_json=data.response_json,
    )
    return _view(await services.banking.confirm_withdrawal(answer))


def _speed(terms: SpeedTerms, amount_fen: int) -> SpeedView:
    return SpeedView(
        speed=terms.speed,
        fee=amount_of(terms.fee_fen),
        on_card=amount_of(amount_fen - terms.fee_fen),
        handed_over=timestamp(terms.hand_over_at),
        arrives_by=timestamp(terms.arrives_by),
        left=amount_of(terms.left_fen),
        limit_day=amount_of(terms.day_fen),
    )


def _started(started: WithdrawalStarted) -> WithdrawalView:
    return _view(started.withdrawal, requirement_view(started.requirement))


def _view(found: Withdrawal, requirement: RequirementView | None = None) -> WithdrawalView:
    return WithdrawalView(
        id=found.withdrawal_id,
        card=found.card_id,
        bank_name=found.bank_name,
        last4=found.last4,
        amount=amount_of(found.amount_fen),
        fee=amount_of(found.fee_fen),
        on_card=amount_of(found.amount_fen - found.fee_fen),
        speed=found.speed,
        status=found.status,
        refusal=found.refusal_code or None,
        created=timestamp(found.created_at),
        confirm_by=timestamp(found.confirm_by),
        handed_over=timestamp(found.hand_over_at),
        arrives_by=timestamp(found.deadline_at),
        posted=timestamp_or_none(found.posted_at),
        ended=timestamp_or_none(found.ended_at),
        requirement=requirement,
    )


handlers = [quote, create, list_withdrawals, show, begin, confirm]
