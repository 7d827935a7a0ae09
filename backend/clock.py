"""One clock. It arrives as an argument, so tests can choose the time.

Every process makes its own with `clock_for` its settings: a demo may live ahead of the machine, and
then all its parts do.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

from backend.settings import Settings


@runtime_checkable  # handlers get it injected, and injection checks the type
class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, in UTC."""
        ...


class SystemClock:
    """The machine's time, or so much later."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        at = datetime.now(UTC)  # noqa: TID251 — the one place that asks the machine
        return at + self._ahead


def clock_for(settings: Settings) -> Clock:
    return SystemClock(timedelta(seconds=settings.demo_clock_ahead_s))


class FixedClock:
    """A clock for tests: stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


def to_ms(at: datetime) -> int:
    """Unix milliseconds, the form in which times are signed."""
    return int(at.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
