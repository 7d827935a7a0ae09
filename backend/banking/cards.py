"""Binding a card: the bank takes it and deposits one fen with a code; the person types the code."""

from datetime import timedelta

import msgspec

from backend.banking import (
    MAX_CARDS,
    MAX_OFFERS,
    BankGateway,
    BindCard,
    Card,
    CardRefused,
    ConfirmCard,
    TooManyCards,
)
from backend.banking.rules import luhn
from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.risk import Risk

OFFER_WINDOW = timedelta(hours=24)

_CARD = "card_id, person_id, bank_name, last4, status, created_at"


class _Kept(msgspec.Struct, frozen=True):
    """What is kept of a card beyond what is shown."""

    card: Card
    token: str
    refusal_reason: str


class Cards:
    def __init__(self, bank: BankGateway, risk: Risk, clock: Clock) -> None:
        self._bank, self._risk, self._clock = bank, risk, clock

    async def bind(self, bind: BindCard) -> Card:
        known = await _find(bind.card_id)
        if known is not None:
            return _replay(bind, known)
        if not luhn(bind.number):
            raise CardRefused(reason="number")
        await self._check_count(bind.person_id)
        try:
            offer = await self._bank.offer_card(
                bind.card_id, bind.person_id, bind.number, bind.holder
            )
        except CardRefused as refused:
            await self._keep(bind, "refused", reason=str(refused.params["reason"]))
            raise
        await self._keep(bind, "pending", offer.token, offer.bank_name)
        kept = await _find(bind.card_id)
        assert kept is not None
        return _replay(bind, kept)

    async def confirm(self, confirm: ConfirmCard) -> Card:
        kept = await _find(confirm.card_id)
        if kept is None or kept.card.person_id != confirm.person_id:
            raise NotFound()
        if kept.card.status == "refused":
            raise CardRefused(reason=kept.refusal_reason)
        if kept.card.status == "pending":
            try:
                word = await self._bank.confirm_card(kept.token, confirm.code)
            except CardRefused as refused:
                await _move(confirm.card_id, "refused", str(refused.params["reason"]))
                raise
            # Before the card is bound here: what leaves for it, goes by the security system's own
            # record. If this fails, the same code is taken again.
            await self._risk.bind_card(word)
            await _move(confirm.card_id, "bound", proven=True)
        return msgspec.structs.replace(kept.card, status="bound")

    async def cards(self, person_id: str) -> tuple[Card, ...]:
        """The bound ones, those whose code is still to be typed, and whose codes ran out today."""
        found = await TX.query_as(
            Card,
            f"select {_CARD} from banking.card where person_id = $1 "  # noqa: S608
            "and (status <> 'refused' or (token <> '' and created_at > $2)) "
            "order by created_at, card_id",
            person_id,
            self._clock.now() - OFFER_WINDOW,
        )
        return tuple(found)

    async def _check_count(self, person_id: str) -> None:
        # Two tabs at once may pass both: these numbers stop guessing, not the last card.
        [row] = await TX.query(
            "select count(*) filter (where status <> 'refused') as cards, "
            "count(*) filter (where created_at > $2) as offers "
            "from banking.card where person_id = $1",
            person_id,
            self._clock.now() - OFFER_WINDOW,
        )
        if row["cards"] >= MAX_CARDS:
            raise TooManyCards(limit=MAX_CARDS)
        if row["offers"] >= MAX_OFFERS:
            raise TooManyCards(limit=MAX_OFFERS)

    async def _keep(
        self, bind: BindCard, status: str, token: str = "", bank_name: str = "", reason: str = ""
    ) -> None:
        await TX.query(
            "insert into banking.card (card_id, person_id, token, bank_name, last4, status, "
            "refusal_reason, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8) "
            "on conflict (card_id) do nothing",
            bind.card_id,
            bind.person_id,
            token,
            bank_name,
            bind.number[-4:],
            status,
            reason,
            self._clock.now(),
        )


def _replay(bind: BindCard, kept: _Kept) -> Card:
    """The first answer again. The number itself isn't kept, so its last digits stand for it."""
    if (kept.card.person_id, kept.card.last4) != (bind.person_id, bind.number[-4:]):
        raise IdReused()
    if kept.card.status == "refused":
        raise CardRefused(reason=kept.refusal_reason)
    return kept.card


async def _find(card_id: str) -> _Kept | None:
    rows = await TX.query(
        f"select {_CARD}, token, refusal_reason from banking.card where card_id = $1",  # noqa: S608
        card_id,
    )
    if not rows:
        return None
    card = msgspec.convert(dict(rows[0]), Card)
    return _Kept(card, rows[0]["token"], rows[0]["refusal_reason"])


async def _move(card_id: str, status: str, reason: str = "", *, proven: bool = False) -> None:
    """The only way a card changes its state."""
    await TX.query(
        "update banking.card set status = $2, refusal_reason = $3, proven = $4 "
        "where card_id = $1 and status = 'pending'",
        card_id,
        status,
        reason,
        proven,
    )
