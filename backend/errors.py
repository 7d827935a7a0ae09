"""Refusals: classes with a stable code, no HTTP in them. They travel between processes as codes."""

from typing import ClassVar, Literal

import msgspec

MoneyMoved = Literal["no", "unknown"]

REFUSALS: dict[str, type["DomainError"]] = {}
"""Every refusal of the product by its code; the message catalogues have one text each."""


class DomainError(Exception):
    """A refusal. `params` fill its text in the catalogue; values are text or whole numbers."""

    code: ClassVar[str] = "refused"
    retryable: ClassVar[bool] = False
    money_moved: ClassVar[MoneyMoved] = "no"

    def __init__(self, **params: str | int) -> None:
        super().__init__(self.code, params)
        self.params = params

    def __init_subclass__(
        cls, code: str, *, retryable: bool = False, money_moved: MoneyMoved = "no"
    ) -> None:
        assert code not in REFUSALS, f"two refusals are called {code}"
        cls.code, cls.retryable, cls.money_moved = code, retryable, money_moved
        REFUSALS[code] = cls


class NotFound(DomainError, code="not_found"):
    """It doesn't exist, or isn't the asker's."""


class BadRequest(DomainError, code="bad_request"):
    """The input has not the agreed form."""


class IdReused(DomainError, code="id_reused"):
    """The caller's id was used before, with other content."""


class Unavailable(DomainError, code="unavailable", retryable=True):
    """A part of the product can't be reached and the call was not carried out."""


class OutcomeUnknown(DomainError, code="outcome_unknown", retryable=True, money_moved="unknown"):
    """The answer was lost. The same call with the same id tells what happened."""


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """A refusal on the wire."""

    code: str
    params: dict[str, str | int]


def to_wire(error: DomainError) -> Refusal:
    return Refusal(error.code, error.params)


def from_wire(refusal: Refusal) -> DomainError:
    kind = REFUSALS.get(refusal.code)
    if kind is None:  # a newer peer: refuse all the same, under its code
        return Unavailable(unknown_code=refusal.code)
    return kind(**refusal.params)
