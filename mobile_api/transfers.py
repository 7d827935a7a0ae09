"""Sending money to people: whom, how much, when it arrives; paying it, recalling it."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.errors import BadRequest
from backend.ids import Id
from backend.payments import Confirm, Note, Quote
from backend.risk import Phone
from backend.services import Services
from backend.transfers import Payee, PayTransfer, StartTransfer, Transfer, TransferStarted
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation, RequirementView, requirement_view, until_done
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked, sliced
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Money,
    Page,
    amount_of,
    page_of,
    timestamp,
    timestamp_or_none,
)


class LookUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of the two. person: a friend, of a group, or who asked for money or sent some."""

    phone: Phone | None = None
    person: Id | None = None


class PayeeView(msgspec.Struct, frozen=True, kw_only=True):
    """name: its first character is hidden of somebody who is no friend; of a number it is the
    number, masked, whether anybody has a wallet with it or not, and id stands for that number for a
    day; of somebody paid before it is theirs, for good. name_check: the transfer asks for the first
    character of the name."""

    object: str = "payee"
    id: str
    name: str
    friend: bool
    first_payment: bool
    name_check: bool


class NewTransfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """request: the request for money that it pays; its note is then the transfer's."""

    payee: Id
    amount: Money
    note: Note = ""
    delay_hours: Literal[0, 2, 24] = 0
    name_check: Annotated[str, msgspec.Meta(max_length=8)] = ""
    request: Id | None = None


class TransferView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (not paid yet), "waiting" (can be recalled until `arrives`), "arrived",
    "recalled", "refused", "lapsed" (never paid). mine: the caller pays it."""

    object: str = "transfer"
    id: str
    payment: str
    payer: str
    payee: str
    payer_name: str
    payee_name: str
    mine: bool
    amount: Amount
    note: str
    status: str
    refusal: str | None
    request: str | None
    created: str
    arrives: str | None
    ended: str | None
    requirement: RequirementView | None = None


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What paying it would take; nothing is stored. short: what the balance lacks, or null."""

    object: str = "quote"
    amount: Amount
    available: Amount
    short: Amount | None
    requirement: RequirementView | None


@post("/v1/payees", status_code=200)
async def find_payee(
    data: JSONBody[LookUp], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> PayeeView:
    """Whom a transfer would go to; every look-up by number counts. Whose a number is, only friends
    are told, and who has paid them before.

    Refuses: bad_request, payee_unknown, own_self, too_many_finds."""
    to = data.phone or data.person
    if to is None or (data.phone and data.person):
        raise BadRequest()
    return _payee(await services.transfers.payee(caller.person.person_id, to))


@post("/v1/transfers", status_code=201)
async def create_transfer(
    data: JSONBody[NewTransfer],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> TransferView:
    """Send money; done, or `requirement` says what it takes.

    Refuses: bad_request, own_self, payee_unknown, blocked, name_check_failed, not_found,
    request_ended, amount_changed, insufficient_balance, limit_exceeded, known_payees_only,
    needs_passkey, payer_frozen, payee_frozen, account_frozen, device_unknown, risk_unavailable,
    ledger_unavailable, payment_pending, payment_abandoned, order_busy, order_paid, order_expired,
    order_cancelled, id_reused."""
    note = data.note
    if data.request is not None:
        asked = await services.transfers.find_request(caller.person.person_id, data.request)
        note = asked.note
    started = await services.transfers.start(
        StartTransfer(
            transfer_id=once.id("trf"),
            payment_id=once.id("pay"),
            payer_id=caller.person.person_id,
            payee_id=data.payee,
            amount_fen=data.amount.amount,
            note=note,
            delay=timedelta(hours=data.delay_hours),
            name_check=data.name_check.strip(),
            request_id=data.request or "",
            device_secret=caller.proof,
            address=caller.address,
        )
    )
    return until_done(once, _started(caller, started))


@get("/v1/transfers")
async def list_transfers(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[TransferView]:
    """Delayed ones that are on their way, from and to the caller; those that arrive first come
    first. All others are in the bills.

    Refuses: bad_request."""
    person_id = caller.person.person_id
    found, of = await services.transfers.waiting(person_id), f"transfers\n{person_id}"
    part, following = sliced(of, found, limit, cursor, lambda each: each.transfer_id)
    return page_of([_transfer(caller, each) for each in part], following)


@get("/v1/transfers/{transfer_id:str}")
async def show_transfer(
    caller: NamedDependency[Caller], services: NamedDependency[Services], transfer_id: FromPath[str]
) -> TransferView:
    """A transfer from or to the caller.

    Refuses: not_found."""
    person_id = caller.person.person_id
    found = await services.transfers.transfer(person_id, checked(transfer_id, "trf"))
    return _transfer(caller, found)


@get("/v1/transfers/{transfer_id:str}/quote")
async def quote_transfer(
    caller: NamedDependency[Caller], services: NamedDependency[Services], transfer_id: FromPath[str]
) -> QuoteView:
    """What paying it would take.

    Refuses: not_found, payer_frozen, payee_frozen, limit_exceeded, device_unknown, own_shop,
    order_paid, order_expired, order_cancelled, risk_unavailable, ledger_unavailable."""
    person_id, found_id = caller.person.person_id, checked(transfer_id, "trf")
    return _quote(await services.transfers.quote(person_id, found_id, caller.proof))


@post("/v1/transfers/{transfer_id:str}/ceremony", status_code=200, opt=FRESH)
async def begin_transfer(
    caller: NamedDependency[Caller], services: NamedDependency[Services], transfer_id: FromPath[str]
) -> TransferView:
    """Pay what is stored: once more, with a fresh ceremony where it takes one.

    Refuses: not_found, blocked, request_ended, insufficient_balance, limit_exceeded,
    known_payees_only, needs_passkey, payer_frozen, payee_frozen, account_frozen, device_unknown,
    risk_unavailable, ledger_unavailable, payment_pending, payment_abandoned, order_busy,
    order_paid, order_expired, order_cancelled."""
    pay = PayTransfer(
        transfer_id=checked(transfer_id, "trf"),
        payer_id=caller.person.person_id,
        device_secret=caller.proof,
        address=caller.address,
    )
    started = await services.transfers.pay(pay)
    return _started(caller, started)


@post("/v1/transfers/{transfer_id:str}/confirm", status_code=200)
async def confirm_transfer(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    transfer_id: FromPath[str],
) -> TransferView:
    """The passkey's answer.

    Refuses: bad_request, not_found, passkey_refused, ceremony_invalid, intent_expired,
    insufficient_balance, limit_exceeded, known_payees_only, needs_passkey, payer_frozen,
    payee_frozen, account_frozen, device_unknown, risk_unavailable, ledger_unavailable,
    payment_pending, payment_abandoned, order_busy, order_paid, order_expired, order_cancelled."""
    person_id = caller.person.person_id
    found = await services.transfers.transfer(person_id, checked(transfer_id, "trf"))
    answer = Confirm(
        payment_id=found.payment_id,
        payer_id=person_id,
        device_secret=caller.proof,
        ceremony_id=data.ceremony_id,
        response_json=data.response_json,
    )
    return _transfer(caller, await services.transfers.confirm(answer))


@post("/v1/transfers/{transfer_id:str}/recall", status_code=200)
async def recall_transfer(
    caller: NamedDependency[Caller], services: NamedDependency[Services], transfer_id: FromPath[str]
) -> TransferView:
    """Take a delayed one back before it arrives.

    Refuses: not_found, too_late, device_unknown, risk_unavailable, ledger_unavailable,
    payment_pending."""
    person_id, found_id = caller.person.person_id, checked(transfer_id, "trf")
    found = await services.transfers.recall(person_id, found_id, caller.proof)
    return _transfer(caller, found)


def _started(caller: Caller, started: TransferStarted) -> TransferView:
    view = _transfer(caller, started.transfer)
    return msgspec.structs.replace(view, requirement=requirement_view(started.requirement))


def _payee(found: Payee) -> PayeeView:
    return PayeeView(
        id=found.payee_id,
        name=found.name,
        friend=found.is_friend,
        first_payment=found.first_payment,
        name_check=found.asks_name,
    )


def _quote(found: Quote) -> QuoteView:
    return QuoteView(
        amount=amount_of(found.order.amount_fen),
        available=amount_of(found.balance.available_fen),
        short=amount_of(found.short_fen) if found.short_fen else None,
        requirement=requirement_view(found.requirement),
    )


def _transfer(caller: Caller, found: Transfer) -> TransferView:
    return TransferView(
        id=found.transfer_id,
        payment=found.payment_id,
        payer=found.payer_id,
        payee=found.payee_id,
        payer_name=found.payer_name,
        payee_name=found.payee_name,
        mine=found.payer_id == caller.person.person_id,
        amount=amount_of(found.amount_fen),
        note=found.note,
        status=found.status,
        refusal=found.refusal_code or None,
        request=found.request_id or None,
        created=timestamp(found.created_at),
        arrives=timestamp_or_none(found.arrives_at),
        ended=timestamp_or_none(found.ended_at),
    )


handlers = [
    find_payee,
    create_transfer,
    list_transfers,
    show_transfer,
    quote_transfer,
    begin_transfer,
    confirm_transfer,
    recall_transfer,
]
