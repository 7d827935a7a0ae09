"""The sandbox bank's books: orders, and what it has decided. Plain SQLite."""

import msgspec

from backend.bankword import BankStatement, message
from backend.keys import Signer
from backend.money import Amount
from backend.sandbox.accounts import BankRefusal, Db, change, line, sign
from backend.sandbox.card_book import Card, card_of
from backend.sandbox.cards import Mode, mode
from backend.sandbox.store import first, rows

FAULTS = 2  # how often a FAULT card answers 500 to one order before it works
DUPLICATES = 5

SCHEMA = """
create table if not exists secret (key blob not null);
create table if not exists account (
    account text primary key, balance_fen integer not null check (balance_fen >= 0));
create table if not exists card (
    token text primary key, card_id text not null unique, account text not null,
    bank_name text not null, last4 text not null, holder text not null,
    code text not null, tries_left integer not null, status text not null);
create table if not exists binder (token text primary key, person_id text not null);
create table if not exists orders (
    order_id text primary key, token text not null, person_id text not null,
    amount_fen integer not null check (amount_fen > 0), outcome text not null,
    reason text not null, due_ms integer not null, next_outcome text not null,
    word blob not null);
create table if not exists payout (order_id text primary key);
create table if not exists refund (order_id text primary key, amount_fen integer not null);
create table if not exists fault (order_id text primary key, count integer not null);
create table if not exists line (
    line_id integer primary key, account text not null, at_ms integer not null,
    what text not null, amount_fen integer not null);
create table if not exists callback (
    callback_id integer primary key, order_id text not null, word blob not null,
    due_ms integer not null, attempts integer not null default 0);
create index if not exists callback_due on callback (due_ms);
create index if not exists orders_due on orders (due_ms) where next_outcome <> '';
"""


class Pace(msgspec.Struct, frozen=True):
    """How long the misbehaving cards take."""

    hang_s: float = 30.0  # a lost answer keeps its request open this long
    settle_s: float = 12.0  # after which a lost order is decided
    late_s: float = 90.0  # after which a LATE order is decided
    contradict_s: float = 5.0
    early_s: float = 1.0  # by how much an EARLY call-back overtakes the answer


class Order(msgspec.Struct, frozen=True):
    """outcome: "pending", "paid", "refused". next_outcome: what it turns to at due_ms, or ""."""

    order_id: str
    token: str
    person_id: str
    amount_fen: int
    outcome: str
    reason: str
    due_ms: int
    next_outcome: str
    word: bytes


class Debit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    order_id: str
    token: str
    person_id: str
    amount_fen: Amount


def order_of(db: Db, order_id: str) -> Order | None:
    return first(Order, db.execute("select * from orders where order_id = ?", (order_id,)))


def fault(db: Db, ask: Debit) -> bool:
    """Whether this try fails before anything is booked."""
    card = card_of(db, ask.token)
    if card is None or mode(card.last4) is not Mode.FAULT:
        return False
    [(count,)] = db.execute(
        "insert into fault values (?, 1) on conflict do update set count = count + 1 "
        "returning count",
        (ask.order_id,),
    ).fetchall()
    return bool(count <= FAULTS)


def debit(db: Db, ask: Debit, signer: Signer, pace: Pace, now_ms: int) -> Order:
    """Take the money, once per order id."""
    return _known(db, ask) or _ask(db, ask, signer, pace, now_ms)


def pay_out(db: Db, ask: Debit, signer: Signer, pace: Pace, now_ms: int) -> Order:
    """Give the wallet's money to the card, once per order id."""
    known = _known(db, ask)
    if known is not None:
        return known
    db.execute("insert into payout values (?)", (ask.order_id,))
    return _ask(db, ask, signer, pace, now_ms)


def _is_payout(db: Db, order_id: str) -> bool:
    return bool(db.execute("select 1 from payout where order_id = ?", (order_id,)).fetchone())


def _ask(db: Db, ask: Debit, signer: Signer, pace: Pace, now_ms: int) -> Order:
    card = card_of(db, ask.token)
    kind = mode(card.last4) if card is not None else Mode.NORMAL
    outcome, reason = _intended(card, kind)
    order = _open(db, ask, outcome, reason, now_ms + int(_delay_s(kind, pace) * 1000))
    if order.due_ms > now_ms:
        return order
    order = decide(db, order, signer, now_ms)
    if kind is Mode.CONTRADICTS:
        db.execute(
            "update orders set next_outcome = 'paid', due_ms = ? where order_id = ?",
            (now_ms + int(pace.contradict_s * 1000), order.order_id),
        )
    return order


def end(db: Db, ask: Debit, signer: Signer, now_ms: int) -> Order:
    """Refuse the order for good if it is not decided, or never came; else say what it became."""
    order = _known(db, ask) or _open(db, ask, "refused", "ended", now_ms)
    if order.outcome != "pending":
        return order
    refused = msgspec.structs.replace(order, next_outcome="refused", reason="ended")
    return decide(db, refused, signer, now_ms)


def _known(db: Db, ask: Debit) -> Order | None:
    known = order_of(db, ask.order_id)
    if known is not None and (known.token, known.person_id, known.amount_fen) != (
        ask.token,
        ask.person_id,
        ask.amount_fen,
    ):
        raise BankRefusal("id_reused")
    return known


def _open(db: Db, ask: Debit, outcome: str, reason: str, due_ms: int) -> Order:
    order = Order(
        order_id=ask.order_id,
        token=ask.token,
        person_id=ask.person_id,
        amount_fen=ask.amount_fen,
        outcome="pending",
        reason=reason,
        due_ms=due_ms,
        next_outcome=outcome,
        word=b"",
    )
    db.execute("insert into orders values (?,?,?,?,?,?,?,?,?)", msgspec.structs.astuple(order))
    return order


def _intended(card: Card | None, kind: Mode) -> tuple[str, str]:
    """What the order is to become, and why if it is refused."""
    if card is None or card.status != "confirmed":
        return "refused", "card_unknown"
    if kind in (Mode.NO_FUNDS, Mode.LOST_THEN_REFUSED, Mode.CONTRADICTS):
        return "refused", "card_funds"
    return ("refused", "card_blocked") if kind is Mode.BLOCKED else ("paid", "")


def _delay_s(kind: Mode, pace: Pace) -> float:
    if kind in (Mode.LOST_THEN_PAID, Mode.LOST_THEN_REFUSED):
        return pace.settle_s
    return pace.late_s if kind is Mode.LATE else 0


def due(db: Db, now_ms: int) -> list[Order]:
    return rows(
        Order,
        db.execute(
            "select * from orders where next_outcome <> '' and due_ms <= ? limit 50", (now_ms,)
        ),
    )


def decide(db: Db, order: Order, signer: Signer, now_ms: int) -> Order:
    """Carry out what the order turns to, sign it, and leave the call-backs to be delivered."""
    card = card_of(db, order.token)
    outcome, reason = order.next_outcome, order.reason
    if outcome == "paid":
        assert card is not None
        settle = _give if _is_payout(db, order.order_id) else _take
        outcome, reason = settle(db, card, order, now_ms)
    statement = BankStatement(
        order.order_id, order.person_id, order.amount_fen, "CNY", outcome, now_ms, order.token
    )
    word = sign(message(statement), signer)
    db.execute(
        "update orders set outcome = ?, reason = ?, next_outcome = '', word = ? where order_id = ?",
        (outcome, reason, word, order.order_id),
    )
    times = DUPLICATES if card and mode(card.last4) is Mode.DUPLICATE else 1
    db.executemany(
        "insert into callback (order_id, word, due_ms) values (?, ?, ?)",
        [(order.order_id, word, now_ms)] * times,
    )
    return msgspec.structs.replace(
        order, outcome=outcome, reason=reason, next_outcome="", word=word
    )


def refund(db: Db, order_id: str, now_ms: int) -> None:
    """Give all of a paid order back to the card, once."""
    order = order_of(db, order_id)
    card = None if order is None else card_of(db, order.token)
    if order is None or card is None or order.outcome != "paid" or _is_payout(db, order_id):
        raise BankRefusal("not_paid")
    made = db.execute("insert or ignore into refund values (?, ?)", (order_id, order.amount_fen))
    if made.rowcount:
        change(db, card.account, order.amount_fen)
        line(db, card.account, now_ms, f"易支付 退回 {order_id} · YiPay", order.amount_fen)


def custody_fen(db: Db) -> int:
    """What the bank holds for the wallet: what came in, less what was given back or paid out."""
    [(total,)] = db.execute(
        "select (select coalesce(sum(case when p.order_id is null then amount_fen "
        "else -amount_fen end), 0) "
        "from orders left join payout p using (order_id) where outcome = 'paid') "
        "- (select coalesce(sum(amount_fen), 0) from refund)"
    ).fetchall()
    return int(total)


def _take(db: Db, card: Card, order: Order, now_ms: int) -> tuple[str, str]:
    if not change(db, card.account, -order.amount_fen):
        return "refused", "card_funds"
    line(db, card.account, now_ms, f"易支付 充值 {order.order_id} · YiPay", -order.amount_fen)
    return "paid", ""


def _give(db: Db, card: Card, order: Order, now_ms: int) -> tuple[str, str]:
    if custody_fen(db) < order.amount_fen:
        return "refused", "custody"
    change(db, card.account, order.amount_fen)
    line(db, card.account, now_ms, f"易支付 结算 {order.order_id} · YiPay", order.amount_fen)
    return "paid", ""
