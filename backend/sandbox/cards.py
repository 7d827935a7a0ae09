"""The sandbox bank's test cards: what each does is read off its last four digits."""

from enum import StrEnum

import msgspec

BANKS = {
    "622200": "沙箱工商银行",
    "621700": "沙箱建设银行",
    "622588": "沙箱招商银行",
}
"""Bank names by BIN, the first six digits."""


class Mode(StrEnum):
    """How a card behaves. Every other valid number of a known bank is NORMAL."""

    NORMAL = "normal"
    NO_FUNDS = "no_funds"
    LOST_THEN_PAID = "lost_then_paid"
    LOST_THEN_REFUSED = "lost_then_refused"
    DUPLICATE = "duplicate"
    LATE = "late"
    FAULT = "fault"
    CONTRADICTS = "contradicts"
    BLOCKED = "blocked"
    EARLY = "early"
    NOT_TAKEN = "not_taken"


class TestCard(msgspec.Struct, frozen=True):
    """`__test__`: not a test class."""

    __test__ = False

    last4: str
    mode: Mode
    what: str
    what_en: str

    @property
    def number(self) -> str:
        return number("622200", self.last4)


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    return digits.isascii() and digits.isdecimal() and _sum(digits) % 10 == 0


def number(bin_: str, last4: str) -> str:
    """The 16-digit number of that bank with these last four digits that passes the check."""
    for filler in range(10):
        candidate = f"{bin_}00000{filler}{last4}"
        if luhn(candidate):
            return candidate
    raise AssertionError("one of ten consecutive digits always fits")


def _sum(digits: str) -> int:
    doubled = [2 * int(d) for d in digits[-2::-2]]
    return sum(int(d) for d in digits[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)


TEST_CARDS = (
    TestCard("0001", Mode.NORMAL, "成功", "pays at once"),
    TestCard("0002", Mode.NO_FUNDS, "拒绝：卡内余额不足", "refuses: the card is short of money"),
    TestCard("0003", Mode.LOST_THEN_PAID, "超时无应答，随后成功", "no answer; later it has paid"),
    TestCard(
        "0004", Mode.LOST_THEN_REFUSED, "超时无应答，随后拒绝", "no answer; later it has refused"
    ),
    TestCard("0005", Mode.DUPLICATE, "成功，回调重复五次", "pays; the call-back comes five times"),
    TestCard("0006", Mode.LATE, "处理中，很久以后成功", "answers “pending”; pays much later"),
    TestCard("0007", Mode.FAULT, "先两次 500 错误，再成功", "answers 500 twice, then pays"),
    TestCard("0008", Mode.CONTRADICTS, "先拒绝，后又称成功", "refuses, then says it has paid"),
    TestCard("0009", Mode.BLOCKED, "拒绝：卡已冻结", "refuses: the card is blocked"),
    TestCard("0010", Mode.EARLY, "回调先于应答到达", "the call-back overtakes the answer"),
    TestCard("0011", Mode.NOT_TAKEN, "不能绑定", "can't be bound"),
)

_MODES = {card.last4: card.mode for card in TEST_CARDS}


def mode(last4: str) -> Mode:
    return _MODES.get(last4, Mode.NORMAL)
