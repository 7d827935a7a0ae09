"""The form of a new request: who is asked, and how the amount is split."""

from collections.abc import Sequence

import msgspec

from backend.ids import is_id
from backend.money import MAX_AMOUNT_FEN, parse_yuan
from backend.payments import Note
from backend.plain import is_plain
from backend.transfers import MAX_SPLIT, Somebody, evenly
from web.amounts import read_amount
from web.forms import Form
from web.i18n import msg

EQUAL, OWN = "equal", "own"
BAD_NOTE = msg("At most 64 characters in one line, nothing hidden.")
# Fields per person: the box, the own amount, the share that the summary has shown.
PICKED, TYPED, SHARE = "with_", "own_", "share_"


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """What the summary shows. own_fen: what stays with who asks, 0 where they take no part."""

    shares: tuple[tuple[Somebody, int], ...]
    own_fen: int
    note: str

    @property
    def asked_fen(self) -> int:
        return sum(amount_fen for _, amount_fen in self.shares)


def read_split(form: Form, people: Sequence[Somebody]) -> Split | None:
    """None and the form's errors where it can't be acted upon."""
    note = form.text("note", Note, BAD_NOTE) or ""
    if not is_plain(note):
        form.refuse("note", BAD_NOTE)
    picked = [each for each in people if form[f"{PICKED}{each.person_id}"]]
    if not picked:
        form.refuse("people", msg("Choose who is asked."))
    elif len(picked) > MAX_SPLIT:
        form.refuse("people", msg("At most 100 people in one request."))
    found = _own(form, picked) if form["split"] == OWN else _equal(form, picked)
    if not form or found is None:
        return None
    shares, own_fen = found
    return Split(shares=shares, own_fen=own_fen, note=note)


def read_shares(form: Form) -> tuple[tuple[str, int], ...] | None:
    """As the summary was drawn; None if it was tampered with."""
    shares = []
    for name, value in form.values.items():
        if not name.startswith(SHARE):
            continue
        person_id = name.removeprefix(SHARE)
        whole = value.isascii() and value.isdigit() and len(value) <= 11
        if not (is_id(person_id, "usr") and whole and 0 < int(value) <= MAX_AMOUNT_FEN):
            return None
        shares.append((person_id, int(value)))
    return tuple(shares) if 0 < len(shares) <= MAX_SPLIT else None


Shares = tuple[tuple[tuple[Somebody, int], ...], int]


def _equal(form: Form, picked: list[Somebody]) -> Shares | None:
    """The same for everybody, in whole fen; what is left over stays with who asks."""
    total = read_amount(form)
    if total is None or not picked:
        return None
    each, own_fen = evenly(total, len(picked), bool(form["me"]))
    if not each:
        form.refuse("amount", msg("That is less than a fen for each."))
        return None
    return tuple((somebody, each) for somebody in picked), own_fen


def _own(form: Form, picked: list[Somebody]) -> Shares | None:
    shares = []
    for somebody in picked:
        name = f"{TYPED}{somebody.person_id}"
        amount = parse_yuan(form[name])
        if amount is None:
            form.refuse(name, msg("An amount such as 23 or 23.50 is missing here."))
            form.refuse("people", msg("Type an amount for everybody who is chosen."))
        else:
            shares.append((somebody, int(amount)))
    return tuple(shares), 0
