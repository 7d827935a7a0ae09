"""Steps, each by itself: what befalls one must not keep the others waiting."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from backend.errors import DomainError

T = TypeVar("T")

_log = structlog.get_logger(__name__)


async def apart(step: Awaitable[T], otherwise: T, what: str, ref: str) -> T:
    """The step's result, or `otherwise`: it comes again in the next round. What will pass by itself
    is noted by its code; anything else is logged whole."""
    try:
        return await step
    except DomainError as refusal:
        if refusal.retryable:
            _log.warning("step_waits", step=what, ref=ref, code=refusal.code)
        else:
            _log.exception("step_refused", step=what, ref=ref)
    except Exception:
        # The other rows are other people's money and due now; a bug in one is told, not spread.
        _log.exception("step_failed", step=what, ref=ref)
    return otherwise


async def every(what: str, *sweeps: Callable[[], Awaitable[int]]) -> int:
    """Runs all of them; their sum. Raises, after the last, what failed in any."""
    touched, failed = 0, list[Exception]()
    for sweep in sweeps:
        try:
            touched += await sweep()
        except Exception as error:
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"sweeps of {what}", failed)
    return touched
