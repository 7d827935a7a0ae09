"""A sweep goes on, whatever one of its steps does; nothing of it is hushed up."""

import asyncio

import pytest
from structlog.testing import capture_logs

from backend.apart import apart, every
from backend.errors import NotFound, Unavailable


async def fails(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (Unavailable(), "step_waits", "warning"),
        (NotFound(), "step_refused", "error"),
        (ValueError("a bug"), "step_failed", "error"),
    ],
)
async def test_what_fails_is_told_and_comes_again(error: Exception, event: str, level: str) -> None:
    with capture_logs() as logs:
        assert await apart(fails(error), 7, "payment", "pay_x") == 7
    [said] = logs
    assert (said["event"], said["log_level"], said["ref"]) == (event, level, "pay_x")
    assert bool(said.get("exc_info")) == (level == "error")


async def test_being_told_to_stop_is_no_failure() -> None:
    with pytest.raises(asyncio.CancelledError):
        await apart(fails(asyncio.CancelledError()), 0, "payment", "pay_x")


async def test_all_sweeps_run_and_what_failed_is_raised_after_them() -> None:
    ran = list[str]()

    async def works() -> int:
        ran.append("works")
        return 2

    async def breaks() -> int:
        return await fails(ValueError("a bug"))

    with pytest.raises(ExceptionGroup, match="sweeps of payments") as raised:
        await every("payments", breaks, works)
    assert ran == ["works"]
    assert [str(error) for error in raised.value.exceptions] == ["a bug"]
    assert await every("payments", works, works) == 4
