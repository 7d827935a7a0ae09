"""Wrong payment codes, counted by the terminal that read them."""

from datetime import datetime, timedelta

from backend.db import SEC
from backend.risk import TooManyGuesses

MAX_WRONG_CODES = 20
WRONG_CODE_WINDOW = timedelta(minutes=10)


async def lock(terminal_id: str) -> None:
    """One reading of a terminal after the other: many at once must not outrun the count."""
    await SEC.query("select pg_advisory_xact_lock(5, hashtext($1))", terminal_id)


async def refuse_too_many(terminal_id: str, now: datetime) -> None:
    """Refuses: TooManyGuesses."""
    rows = await SEC.query(
        "select guessed_at from risk.code_guess where terminal_id = $1 and guessed_at > $2 "
        "order by guessed_at desc offset $3 limit 1",
        terminal_id,
        now - WRONG_CODE_WINDOW,
        MAX_WRONG_CODES - 1,
    )
    if rows:
        left = rows[0]["guessed_at"] + WRONG_CODE_WINDOW - now
        raise TooManyGuesses(seconds=-(-left // timedelta(seconds=1)))


async def record(terminal_id: str, now: datetime) -> None:
    await SEC.query("insert into risk.code_guess values ($1, $2)", terminal_id, now)
